/** Makes the CPU backend: a pool of threads, and kernels that were checked and chosen for this machine. */
import { platform } from '#platform';
import { maxTile } from '../../kernels/activation.ts';
import { scratchOf, WasmBackend } from './backend.ts';
import { everywhere } from './choice.ts';
import { weightTypes } from './handles.ts';
import { type Bench, chooseKernels, firstVariant, kernelsOf, variantNamed } from './selection.ts';
import { ThreadPool } from './thread-pool.ts';

export interface WasmBackendOptions {
  readonly threads?: number | undefined;
  /** A variant's name; default REALM_KERNELS, else for each size the fastest of those that pass the self-test. */
  readonly variant?: string | undefined;
  /** Size of one memory, in units of 64 KiB. Default 4 GiB; a larger model takes several. */
  readonly memoryPages?: number;
}

/** A backend with a pool of `threads` (default: the processors this process may use). */
export async function createWasmBackend(options: WasmBackendOptions = {}): Promise<WasmBackend> {
  const threads = options.threads ?? platform.availableParallelism();
  const name = options.variant ?? platform.setting('REALM_KERNELS');
  const forced = name ? variantNamed(name) : undefined;
  // No kernel is compiled while threads begin: what V8 does for them may look at the flags that compiling changes.
  const pool = await startPool(threads);
  try {
    const backend = new WasmBackend(pool, part => chooseKernels(part, createBench, forced), options.memoryPages);
    await backend.use('common');
    return backend;
  } catch (error) {
    await pool.close();
    throw error;
  }
}

/** 256 MB: more than its work takes. */
const benchPages = 4096;

/** A pool with kernels that nothing has checked: what the self-test works with. */
export async function createBench(threads: number): Promise<Bench> {
  const pool = await startPool(threads);
  const bench = new WasmBackend(
    pool,
    async part => kernelsOf(part, everywhere(part, firstVariant(part).name)),
    benchPages,
  );
  await bench.use('common');
  return bench;
}

const startPool = (threads: number): Promise<ThreadPool> => ThreadPool.start(threads, scratchOf, weightTypes, maxTile);
