import { readFileSync } from 'node:fs';
import type { EngineMemory } from '../engine/types.ts';

/** What a model holds outside of this thread's heap, bytes. */
export type ModelMemory = Pick<EngineMemory, 'weights' | 'kvTouched' | 'work' | 'heap' | 'gpu'>;

/** What a model takes where, bytes. */
export interface HeldMemory {
  /** Of this machine's memory. */
  readonly host: number;
  readonly gpu: number;
}

/** The whole cache counts; the CPU's work buffers do only where what a GPU holds cannot be told from them. */
export function heldMemory({
  weights,
  kvCache,
  work,
  gpu = 0,
}: Pick<EngineMemory, 'weights' | 'kvCache' | 'work' | 'gpu'>): HeldMemory {
  return { host: gpu === 0 ? weights + kvCache : Math.max(0, weights + kvCache + work - gpu), gpu };
}

/** The process as the system and V8 see it, bytes. */
export interface ProcessMemory {
  readonly resident: number;
  /** V8's, of this thread. */
  readonly heap: number;
  /** What objects of this thread's heap hold outside of it: buffers mostly. */
  readonly external: number;
  /** Pages of files, the runtime's program mostly; 0 where the system does not say. */
  readonly code: number;
}

export function processMemory(): ProcessMemory {
  const { rss, heapTotal, external } = process.memoryUsage();
  return { resident: rss, heap: heapTotal, external, code: filePages() };
}

/**
 * Resident memory by what it is for. `other` is what nobody counts: the C library's allocator, compiled code, stacks,
 * heaps of the sandbox's threads. What a server may gain in a long life is in `kv_cache` alone, up to the whole cache.
 */
export function memoryByKind(models: readonly ModelMemory[], { resident, code, ...own }: ProcessMemory) {
  const here = models.map(inProcess);
  const sum = (of: (model: ModelMemory) => number) => here.reduce((total, model) => total + of(model), 0);
  const known = {
    weights: sum(({ weights }) => weights),
    kv_cache: sum(({ kvTouched }) => kvTouched),
    work: sum(({ work }) => work),
    heap: own.heap + sum(({ heap = 0 }) => heap),
    external: own.external,
    code,
  };
  const other = resident - Object.values(known).reduce((total, bytes) => total + bytes);
  // Work buffers are counted whole and touched in part.
  return { ...known, other: Math.max(0, other), resident };
}

/** What a GPU holds is none of the process's; of a model on both, the rest counts as weights. */
function inProcess(model: ModelMemory): ModelMemory {
  const { weights, kvTouched, work, gpu = 0 } = model;
  return gpu === 0
    ? model
    : { ...model, weights: Math.max(0, weights + kvTouched + work - gpu), kvTouched: 0, work: 0 };
}

/** Linux counts them; reading that walks no page table. */
function filePages(): number {
  try {
    const found = /^RssFile:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
    return Number(found?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
