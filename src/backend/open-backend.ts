/** Finds the backend for a model: the device that was asked for, or the best that can hold and compute it. */
import { asRealmError, type ErrorCode, RealmError } from '../errors.ts';
import { parts } from '../kernels/module.ts';
import { checkRange, ranges } from '../ranges.ts';
import type { Backend, Feature } from './backend.ts';
import { type DeviceChoice, gpuIndex } from './device.ts';
import { type BackendName, type BackendOptions, createBackend } from './registry.ts';
import { SplitBackend } from './split/backend.ts';
import { type Splittable, splitAt } from './split/placement.ts';
import { createWebGpuBackend } from './webgpu/backend.ts';
import { hasGpu } from './webgpu/device.ts';
import { selfTest } from './webgpu/self-test.ts';

export interface BackendWish {
  /** This one, whatever the device. */
  readonly name?: BackendName | undefined;
  /** Default `auto`. */
  readonly device?: DeviceChoice | undefined;
  /** The last so many of the model's layers are on the GPU, the others on the CPU. Default: as many as fit. */
  readonly gpuLayers?: number | undefined;
  readonly threads?: number | undefined;
  /** Types of the model's tensors. */
  readonly types: ReadonlySet<string>;
  /** What not every backend can do and the model needs. */
  readonly needs: ReadonlySet<Feature>;
  readonly model: Splittable;
  /** Hears why a GPU is not used, or not for all layers, although there is one. */
  readonly onRemark: (remark: string) => void;
}

/** The backends that there are to choose from. */
export interface Machine {
  cpu(name: BackendName | undefined, options: BackendOptions): Promise<Backend>;
  /** Whether there is one worth the name. */
  hasGpu(): Promise<boolean>;
  /** One that has passed the self-test of the kernels for these types and features. */
  gpu(index: number, wish: Pick<BackendWish, 'types' | 'needs'>): Promise<Backend>;
}

export interface Opened<T> {
  readonly backend: Backend;
  readonly opened: T;
}

type Load<T> = (backend: Backend) => Promise<T>;

/** Errors that say something of a device, and nothing of the model. */
const devicesOwn: readonly ErrorCode[] = ['kernel_unavailable', 'out_of_memory', 'engine_failed'];

/** How often layers are tried in all: WebGPU does not say how much memory there is. */
const mostTries = 4;
/** Of the memory that weights have found, what they may take beside a cache and work buffers. */
const weightShare = 0.85;

/**
 * Opens a backend and has `load` put the model there. Layers for which a GPU has no room stay on the CPU. `auto` goes on to the
 * CPU alone where there is no GPU, where it fails the self-test, or where few layers find no room either; `gpu` throws.
 */
export async function openBackend<T>(wish: BackendWish, load: Load<T>, machine = thisMachine): Promise<Opened<T>> {
  const { name, device = 'auto', gpuLayers, threads, onRemark } = wish;
  checkRange(gpuLayers, ranges.gpuLayers);
  const onCpu = async () => loaded(await machine.cpu(name, { threads }), load);
  if (name !== undefined || device === 'cpu' || gpuLayers === 0) return onCpu();
  if (device !== 'auto') return onGpu(wish, gpuIndex(device), load, machine);
  try {
    return (await machine.hasGpu()) ? await onGpu(wish, 0, load, machine) : await onCpu();
  } catch (error) {
    const { code, message } = asRealmError(error);
    if (!devicesOwn.includes(code)) throw error;
    onRemark(`the model runs on the CPU, not on the GPU: ${message}`);
    return onCpu();
  }
}

/** On a GPU as many layers as were asked for, or as find room. */
async function onGpu<T>(wish: BackendWish, index: number, load: Load<T>, machine: Machine): Promise<Opened<T>> {
  const { gpuLayers, model, onRemark } = wish;
  const most = Math.min(gpuLayers ?? model.layers, model.layers);
  for (let count = most, tries = 1; ; tries++) {
    const gpu = await machine.gpu(index, wish);
    try {
      const found = await loaded(await withLayers(count, gpu, wish, machine), load);
      const layers = `${count} of the model's ${model.layers} layers ${count === 1 ? 'is' : 'are'}`;
      if (tries > 1) onRemark(`${layers} on the GPU, which has no room for more; the others are on the CPU`);
      return found;
    } catch (error) {
      const { code, message } = asRealmError(error);
      if (code !== 'out_of_memory') throw error;
      const fewer = tries === 1 ? layersIn(gpu.memory().weights, model) : Math.floor(count / 2);
      if (gpuLayers === undefined && tries < mostTries && fewer > 0) count = fewer;
      else throw noRoom(count < most ? [most, count] : [most], model, message);
    }
  }
}

/** How many layers are worth a try, where so many bytes of weights have found room; not all of them. */
function layersIn(weights: number, { layers, bytes }: Splittable): number {
  const held = Math.floor((layers * weightShare * weights) / bytes);
  return Math.min(layers - 1, Math.max(1, held));
}

function noRoom([most, ...fewer]: readonly number[], { layers }: Splittable, reason: string): RealmError {
  const tried = [`${most} of the model's ${layers} layers`, ...fewer].join(', nor for ');
  return new RealmError('out_of_memory', `the GPU has no room for ${tried}: ${reason}`);
}

async function withLayers(count: number, gpu: Backend, wish: BackendWish, machine: Machine): Promise<Backend> {
  const { layers, tied } = wish.model;
  if (count >= layers) return gpu;
  try {
    const cpu = await machine.cpu(undefined, { threads: wish.threads });
    return new SplitBackend([cpu, gpu], splitAt(layers - count, tied));
  } catch (error) {
    await gpu.close();
    throw error;
  }
}

async function loaded<T>(backend: Backend, load: Load<T>): Promise<Opened<T>> {
  try {
    return { backend, opened: await load(backend) };
  } catch (error) {
    await backend.close();
    throw error;
  }
}

const thisMachine: Machine = {
  cpu: createBackend,
  hasGpu,
  async gpu(index, { types, needs }) {
    const backend = await createWebGpuBackend({ gpu: index });
    try {
      await selfTest(
        backend,
        parts.filter(part => part === 'common' || types.has(part)),
        needs,
      );
      return backend;
    } catch (error) {
      await backend.close();
      throw error;
    }
  },
};
