/** WebGPU in Node: Dawn, from the optional package `webgpu`. */

/** Dawn's poll calls what `create` returned: it must never be collected. */
const kept = globalThis as { realmGpu?: GPU };

/** Toggles of Dawn. Our kernels check their own bounds and write all that they read. */
const toggles = ['disable_robustness', 'disable_workgroup_init', 'disable_polyfills_on_integer_div_and_mod'];

export async function gpu(): Promise<GPU | undefined> {
  if (kept.realmGpu) return kept.realmGpu;
  try {
    const { create } = await import('webgpu');
    kept.realmGpu = create([`enable-dawn-features=${toggles.join(',')}`]);
    return kept.realmGpu;
  } catch {
    // It was not installed, or there is none for this system.
    return undefined;
  }
}
