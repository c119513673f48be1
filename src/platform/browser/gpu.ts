/** A browser tells of two adapters at most: the fast one and the frugal one. */
export async function gpuAdapters(): Promise<readonly GPUAdapter[]> {
  const { gpu } = navigator;
  if (!gpu) return [];
  const fast = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  const frugal = await gpu.requestAdapter({ powerPreference: 'low-power' });
  const name = (adapter: GPUAdapter | null) =>
    JSON.stringify(adapter && [adapter.info.vendor, adapter.info.architecture]);
  return [fast, name(frugal) === name(fast) ? null : frugal].filter(adapter => adapter !== null);
}
