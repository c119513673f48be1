/** A device of WebGPU: a GPU through Dawn in Node, the browser's own in a page. */
import { platform } from '#platform';
import { RealmError } from '../../errors.ts';

/** WebGPU's numbers of uses: their names are not there in Node. https://www.w3.org/TR/webgpu/#namespacedef-gpubufferusage */
export const usage = {
  ...{ mapRead: 0x1, copySrc: 0x4, copyDst: 0x8, uniform: 0x40, storage: 0x80, queryResolve: 0x200 },
} as const;

export interface Device {
  readonly gpu: GPUDevice;
  /** `nvidia ada-lovelace`, as the driver names it. */
  readonly name: string;
  readonly limits: GPUSupportedLimits;
  readonly features: ReadonlySet<string>;
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

/** @throws RealmError `kernel_unavailable` where there is no device, or one that can do too little. */
export async function openDevice(): Promise<Device> {
  const gpu = await platform.gpu();
  const adapter = await gpu?.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) throw new RealmError('kernel_unavailable', 'no GPU: WebGPU finds no adapter on this machine');
  const { limits } = adapter;
  const device = await adapter.requestDevice({
    requiredFeatures: wanted.filter(name => adapter.features.has(name)),
    requiredLimits: {
      maxBufferSize: limits.maxBufferSize,
      maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
      maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
      maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
      maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
      maxComputeWorkgroupSizeX: limits.maxComputeWorkgroupSizeX,
    },
  });
  let fault: DeviceFault | undefined;
  void device.lost.then(({ message, reason }) => {
    fault = { kind: 'lost', message: message || reason };
  });
  device.addEventListener('uncapturederror', ({ error }) => {
    const kind = error.constructor.name === 'GPUOutOfMemoryError' ? 'memory' : 'command';
    fault ??= { kind, message: error.message };
  });
  const { vendor, architecture, device: model, description } = adapter.info;
  return {
    gpu: device,
    name: description || [vendor, architecture, model].filter(Boolean).join(' '),
    limits: device.limits,
    features: device.features as ReadonlySet<string>,
    fault: () => fault,
    close: () => device.destroy(),
  };
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
