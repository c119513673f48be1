/**
 * Opens a model in an engine's thread that comes to grief, once for each file `flag`. The module's own URL says how:
 * `?how=exit|throw|hang|deadlock|compute&run=N&flag=PATH`, in the N-th batch. Without `model` it is the scripted one.
 */
import { existsSync, writeFileSync } from 'node:fs';
import type { Worker } from 'node:worker_threads';
import { type OpenOptions, openModel as openFile } from '../../src/engine/open-model.ts';
import { ScriptedModel } from './scripted-model.ts';

const query = new URL(import.meta.url).searchParams;
const [how, flag, last] = [query.get('how'), query.get('flag')!, Number(query.get('run'))];

const computeThreads: Worker[] = [];
process.on('worker', worker => computeThreads.push(worker as Worker));

export async function openModel(options: OpenOptions) {
  const opened = query.has('model') ? await openFile(options) : scripted();
  let runs = 0;
  const run = opened.model.run.bind(opened.model);
  opened.model.run = async (...args) => {
    if (++runs === last && !existsSync(flag)) {
      writeFileSync(flag, '');
      await comeToGrief();
    }
    return run(...args);
  };
  return opened;
}

function scripted() {
  return { model: new ScriptedModel(), source: { backend: 'scripted', fileSize: 100, loadMs: 1 } };
}

async function comeToGrief(): Promise<void> {
  if (how === 'exit') process.exit(7);
  if (how === 'throw')
    setImmediate(() => {
      throw new Error('out of luck');
    });
  while (how === 'hang');
  // A promise that nobody keeps: the event loop goes round, and nothing gets on.
  if (how === 'deadlock') await new Promise(() => {});
  if (how === 'compute') await computeThreads.at(-1)!.terminate();
}

/** The URL of this module. */
export function mortal(how: string, run: number, flag: string, model = false): string {
  const url = new URL(import.meta.url);
  url.search = String(new URLSearchParams({ how, run: String(run), flag, ...(model && { model: '' }) }));
  return url.href;
}
