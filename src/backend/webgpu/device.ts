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
  /** What WGSL has beyond its first version: `packed_4x8_integer_dot_product`. */
  readonly language: ReadonlySet<string>;
  /** Why it was lost; undefined while it works. */
  readonly lost: () => string | undefined;
  close(): void;
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
  let lost: string | undefined;
  void device.lost.then(({ message, reason }) => {
    lost = message || reason;
  });
  const { vendor, architecture, device: model, description } = adapter.info;
  return {
    gpu: device,
    name: description || [vendor, architecture, model].filter(Boolean).join(' '),
    limits: device.limits,
    features: device.features as ReadonlySet<string>,
    language: gpu!.wgslLanguageFeatures as ReadonlySet<string>,
    lost: () => lost,
    close: () => device.destroy(),
  };
}
