/** Finds the backend for a model: the device that was asked for, or the best that can hold and compute it. */
import { asRealmError, type ErrorCode } from '../errors.ts';
import { parts } from '../kernels/module.ts';
import type { Backend } from './backend.ts';
import { type DeviceChoice, gpuIndex } from './device.ts';
import { type BackendName, createBackend } from './registry.ts';
import { createWebGpuBackend } from './webgpu/backend.ts';
import { hasGpu } from './webgpu/device.ts';
import { selfTest } from './webgpu/self-test.ts';

export interface BackendWish {
  /** This one, whatever the device. */
  readonly name?: BackendName | undefined;
  /** Default `auto`. */
  readonly device?: DeviceChoice | undefined;
  readonly threads?: number | undefined;
  /** Types of the model's tensors. */
  readonly types: ReadonlySet<string>;
  /** Hears why a GPU is not used although there is one. */
  readonly onRemark: (remark: string) => void;
}

/** Errors that say something of a device, and nothing of the model. */
const devicesOwn: readonly ErrorCode[] = ['kernel_unavailable', 'out_of_memory', 'engine_failed'];

/**
 * Opens a backend and has `load` put the model there. `auto` goes on to the CPU where there is no GPU, where it fails
 * the self-test, or where the model finds no room; `gpu` throws.
 */
export async function openBackend<T>(
  wish: BackendWish,
  load: (backend: Backend) => Promise<T>,
): Promise<{ readonly backend: Backend; readonly opened: T }> {
  const { name, device = 'auto', threads, onRemark } = wish;
  const onCpu = async () => loaded(await createBackend(name, { threads }), load);
  if (name !== undefined || device === 'cpu') return onCpu();
  if (device !== 'auto') return loaded(await openGpu(wish, device), load);
  try {
    const gpu = await openGpu(wish, device);
    return gpu ? await loaded(gpu, load) : await onCpu();
  } catch (error) {
    const { code, message } = asRealmError(error);
    if (!devicesOwn.includes(code)) throw error;
    onRemark(`the model runs on the CPU, not on the GPU: ${message}`);
    return onCpu();
  }
}

async function loaded<T>(backend: Backend, load: (backend: Backend) => Promise<T>) {
  try {
    return { backend, opened: await load(backend) };
  } catch (error) {
    await backend.close();
    throw error;
  }
}

/** A GPU that has passed the self-test. With `auto` undefined where there is none worth the name. */
async function openGpu(wish: BackendWish, device: 'auto'): Promise<Backend | undefined>;
async function openGpu(wish: BackendWish, device: DeviceChoice): Promise<Backend>;
async function openGpu({ types }: BackendWish, device: DeviceChoice): Promise<Backend | undefined> {
  if (device === 'auto' && !(await hasGpu())) return undefined;
  const backend = await createWebGpuBackend({ gpu: gpuIndex(device) });
  try {
    await selfTest(
      backend,
      parts.filter(part => part === 'common' || types.has(part)),
    );
    return backend;
  } catch (error) {
    await backend.close();
    throw error;
  }
}
