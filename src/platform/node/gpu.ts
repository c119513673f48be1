/** WebGPU in Node: Dawn, from the optional package `webgpu`. */
import { existsSync, readdirSync } from 'node:fs';
import type { Gpus } from '../platform.ts';

/** Dawn's polls call what `create` returned: it must never be collected. By the name of the adapter, '' for the first. */
const kept = globalThis as { realmGpus?: Map<string, GPU> };

/** Our kernels check their own bounds, and write what they read. https://dawn.googlesource.com/dawn/+/HEAD/docs/dawn/features */
const toggles = ['disable_robustness', 'disable_workgroup_init', 'disable_polyfills_on_integer_div_and_mod'];

type Create = (options: string[]) => GPU;

const none: Gpus = { adapters: [], language: new Set() };

export async function gpus(): Promise<Gpus> {
  const create = mayHaveGpu() ? await dawn() : undefined;
  if (!create) return none;
  const gpu = instance(create, '');
  const first = await fastest(gpu);
  if (!first) return none;
  const names = await adapterNames(create);
  const all = names.length < 2 ? [] : await Promise.all(names.map(name => fastest(instance(create, name))));
  const others = all.filter(adapter => adapter && adapter.info.description !== first.info.description);
  return {
    adapters: [first, ...(others as GPUAdapter[])],
    language: gpu.wgslLanguageFeatures as ReadonlySet<string>,
  };
}

/** Dawn is 50 MB, and complains of a missing driver: Linux without a GPU's device file need not load it. */
function mayHaveGpu(): boolean {
  if (process.platform !== 'linux' || process.env.VK_ICD_FILENAMES || process.env.VK_DRIVER_FILES) return true;
  return ['/dev/dri', '/dev/dxg'].some(existsSync) || readdirSync('/dev').some(name => /^nvidia\d/.test(name));
}

async function dawn(): Promise<Create | undefined> {
  try {
    return (await import('webgpu')).create;
  } catch {
    // It was not installed, or there is none for this system.
    return undefined;
  }
}

function instance(create: Create, name: string): GPU {
  kept.realmGpus ??= new Map();
  const known = kept.realmGpus.get(name);
  const gpu = known ?? create([`enable-dawn-features=${toggles.join(',')}`, ...(name ? [`adapter=${name}`] : [])]);
  kept.realmGpus.set(name, gpu);
  return gpu;
}

const fastest = (gpu: GPU) => gpu.requestAdapter({ powerPreference: 'high-performance' });

/** WebGPU has no list of adapters; Dawn lists them where it is asked for one that is not there. */
async function adapterNames(create: Create): Promise<readonly string[]> {
  try {
    await create(['adapter=none of this name']).requestAdapter();
    return [];
  } catch (error) {
    const names = String(error).matchAll(/name: '([^']+)'/g);
    return [...new Set([...names].map(([, name]) => name as string))];
  }
}
