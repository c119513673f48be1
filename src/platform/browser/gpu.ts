import type { Gpus } from '../platform.ts';

/** A browser tells of two adapters at most: the fast one and the frugal one. */
export async function gpus(): Promise<Gpus> {
  const { gpu } = navigator;
  if (!gpu) return { adapters: [], language: new Set() };
  const fast = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  const frugal = await gpu.requestAdapter({ powerPreference: 'low-power' });
  const name = (adapter: GPUAdapter | null) =>
    JSON.stringify(adapter && [adapter.info.vendor, adapter.info.architecture]);
  const adapters = [fast, name(frugal) === name(fast) ? null : frugal].filter(adapter => adapter !== null);
  return { adapters, language: gpu.wgslLanguageFeatures as ReadonlySet<string> };
}
