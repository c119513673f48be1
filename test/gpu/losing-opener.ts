/**
 * Opens a model on a GPU that is lost in the `run`-th step, once for each file `flag`: `?run=N&flag=PATH&then=gone` has no GPU
 * afterwards.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { platform } from '#platform';
import { type OpenOptions, openModel as openFile } from '../../src/engine/open-model.ts';

const query = new URL(import.meta.url).searchParams;
const [flag, last] = [query.get('flag')!, Number(query.get('run'))];

let device: GPUDevice | undefined;

export async function openModel(options: OpenOptions) {
  const lost = existsSync(flag);
  if (lost && query.get('then') === 'gone') {
    // What a machine says whose driver is gone.
    return openFile({ ...options, device: 'gpu:99' }).catch(() => openFile({ ...options, device: 'cpu' }));
  }
  await keepDevice();
  const opened = await openFile(options);
  let runs = 0;
  const run = opened.model.run.bind(opened.model);
  opened.model.run = (...args) => {
    if (++runs === last && !existsSync(flag)) {
      writeFileSync(flag, '');
      device?.destroy();
    }
    return run(...args);
  };
  return opened;
}

/** Keeps hold of the device that the backend will ask for. */
async function keepDevice(): Promise<void> {
  const { adapters } = await platform.gpus();
  const prototype = Object.getPrototypeOf(adapters[0]) as GPUAdapter;
  const request = prototype.requestDevice;
  prototype.requestDevice = async function (descriptor) {
    device = await request.call(this, descriptor);
    return device;
  };
}

/** The URL of this module. */
export function losing(run: number, flag: string, then: 'back' | 'gone'): string {
  const url = new URL(import.meta.url);
  url.search = String(new URLSearchParams({ run: String(run), flag, then }));
  return url.href;
}
