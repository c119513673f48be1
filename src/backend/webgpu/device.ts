/** A device of WebGPU: a GPU through Dawn in Node, the browser's own in a page. */
import { platform } from '#platform';
import { RealmError } from '../../errors.ts';

/** WebGPU's numbers of uses: their names are not there in Node. https://www.w3.org/TR/webgpu/#namespacedef-gpubufferusage */
export const usage = {
  ...{ mapRead: 0x1, copySrc: 0x4, copyDst: 0x8, uniform: 0x40, storage: 0x80, queryResolve: 0x200 },
} as const;

export interface Device {
  readonly gpu: GPUDevice;
  /** As the driver names it. */
  readonly name: string;
  /** A processor that computes as a GPU would: correct and slow. */
  readonly isSoftware: boolean;
  readonly limits: GPUSupportedLimits;
  readonly features: ReadonlySet<string>;
  /** What WGSL has beyond its first version: `packed_4x8_integer_dot_product`. */
  readonly language: ReadonlySet<string>;
  /** What went wrong for good: it was lost, it refused memory or a command. Undefined while it works. */
  readonly fault: () => DeviceFault | undefined;
  close(): void;
}

export interface DeviceFault {
  readonly kind: 'lost' | 'memory' | 'command';
  readonly message: string;
}

/** Features that are used where a device has them. */
const wanted: readonly GPUFeatureName[] = ['subgroups', 'shader-f16', 'timestamp-query'];

/**
 * @param index Its place among the adapters, the fastest is 0.
 * @throws RealmError `kernel_unavailable` where there is no such device, or one that can do too little.
 */
export async function openDevice(index = 0): Promise<Device> {
  const { adapters, language } = await platform.gpus();
  const adapter = adapters[index];
  if (!adapter) throw noAdapter(adapters.length, index);
  const device = await deviceOf(adapter);
  let fault: DeviceFault | undefined;
  void device.lost.then(({ message, reason }) => {
    fault = { kind: 'lost', message: message || reason };
  });
  device.addEventListener('uncapturederror', ({ error }) => {
    const kind = error.constructor.name === 'GPUOutOfMemoryError' ? 'memory' : 'command';
    fault ??= { kind, message: error.message };
  });
  return {
    gpu: device,
    name: adapterName(adapter),
    isSoftware: adapter.info.isFallbackAdapter,
    limits: device.limits,
    features: device.features as ReadonlySet<string>,
    language,
    fault: () => fault,
    close: () => device.destroy(),
  };
}

/** A buffer, and whether the device has no memory left for it, which it says later. */
export function allocate(
  { gpu }: Pick<Device, 'gpu'>,
  label: string,
  size: number,
  kind: number,
): { readonly buffer: GPUBuffer; readonly refused: Promise<boolean> } {
  gpu.pushErrorScope('out-of-memory');
  const buffer = gpu.createBuffer({ label, size, usage: kind });
  return { buffer, refused: gpu.popErrorScope().then(error => error !== null) };
}

/** With all that it can do, as far as it is of use. */
async function deviceOf(adapter: GPUAdapter): Promise<GPUDevice> {
  const { features, limits } = adapter;
  const asked: GPUDeviceDescriptor = {
    requiredFeatures: wanted.filter(name => features.has(name)),
    requiredLimits: {
      maxBufferSize: limits.maxBufferSize,
      maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
      maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
      maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
      maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
      maxComputeWorkgroupSizeX: limits.maxComputeWorkgroupSizeX,
    },
  };
  try {
    return await adapter.requestDevice(asked);
  } catch (cause) {
    const reason = `the GPU ${adapterName(adapter)} gives no device: ${(cause as Error).message}`;
    throw new RealmError('kernel_unavailable', reason, { cause });
  }
}

/** Throws what a device's fault means to whoever waits for it: `out_of_memory` while a model is loaded, else `engine_failed`. */
export function checkFault({ fault }: Device, loading = false): void {
  const found = fault();
  if (!found) return;
  const { kind, message } = found;
  if (kind === 'memory' && loading) throw new RealmError('out_of_memory', `the GPU has no room for it: ${message}`);
  const what = { lost: 'the GPU was lost', memory: 'the GPU ran out of memory', command: 'the GPU refused a command' };
  throw new RealmError('engine_failed', `${what[kind]}: ${message}`);
}

/** Whether there is a real one: processors that compute as a GPU would are used only where they are asked for. */
export async function hasGpu(): Promise<boolean> {
  const { adapters } = await platform.gpus();
  const [adapter] = adapters;
  return adapter !== undefined && !adapter.info.isFallbackAdapter;
}

/** `NVIDIA H100`, as its driver says; in a browser often no more than the vendor. */
export function adapterName({ info }: GPUAdapter): string {
  return [info.vendor, info.device || info.description || info.architecture].filter(Boolean).join(' ') || 'unnamed';
}

function noAdapter(count: number, index: number): RealmError {
  const found = count === 0 ? 'WebGPU finds none on this machine' : `there are ${count}, counted from 0`;
  const advice = count === 0 ? '; see docs/gpu.md for what it needs' : '';
  return new RealmError('kernel_unavailable', `no GPU${index > 0 ? ` ${index}` : ''}: ${found}${advice}`);
}
