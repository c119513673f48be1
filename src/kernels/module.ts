/** Which kernels make a module, in which variants, and how V8 is asked to compile it. */
import v8 from 'node:v8';
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';
import type { QuantType } from '../quant/types.ts';
import { interleaveFloats, maxTile, quantize32, quantize256 } from './activation.ts';
import { assembleModule, type Func } from './assembler.ts';
import { storeKv, storeKvBytes } from './attention/store.ts';
import { attention, cacheTypes, maxQueries } from './attention.ts';
import { formats32, panelBytes32, panelProduct32, product32, unpack32 } from './blocks32.ts';
import { panelBytes256, panelProduct256, product256, unpack256 } from './blocks256.ts';
import { add, gate, ropeAdjacent, ropeHalves, scale, softcap } from './elementwise.ts';
import { floatFormats, productFloat } from './floats.ts';
import { formats256 } from './formats256.ts';
import { layerNorm, rmsNorm } from './norm.ts';
import { pack } from './pack.ts';
import type { Dot } from './product.ts';

export interface Variant {
  readonly name: string;
  readonly dot: Dot;
  /** Compiled under V8's experimental re-vectoriser: pairs of 128-bit operations become one of 256. */
  readonly revectorize: boolean;
}

/** Fastest first, as far as one can say without measuring. */
export const variants: readonly Variant[] = [
  { name: 'relaxed-revec', dot: 'relaxed', revectorize: true },
  { name: 'relaxed', dot: 'relaxed', revectorize: false },
  { name: 'dotadd-revec', dot: 'dotadd', revectorize: true },
  { name: 'plain', dot: 'plain', revectorize: false },
];

export type KernelExports = Readonly<Record<string, (...args: number[]) => void>>;

/** Kernels that are compiled, checked and chosen together: those of a weight type, or those that need no weights. */
export type KernelPart = QuantType | 'common';

/**
 * For how many tokens at once a kernel works: one, a tile of a few, or many that pass over a panel. Which variant is fastest
 * differs, so kernels are compiled and chosen for each of them; `all`: nothing to choose.
 */
export type KernelSize = 'one' | 'few' | 'many' | 'all';

/** All of them. */
export const parts: readonly KernelPart[] = [
  'common',
  ...(Object.keys({ ...formats32, ...formats256, ...floatFormats }) as QuantType[]),
];

/** The kernel that multiplies weights of `type` with a tile of tokens. */
export const kernelName = (type: QuantType, tile: number): string => `${type}x${tile}`;

/** The kernel that multiplies a panel of such weights with a tile, and the one that fills the panel. */
export const panelKernelName = (type: QuantType, tile: number): string => `${type}p${tile}`;
export const unpackKernelName = (type: QuantType): string => `unpack_${type}`;

const tiles = Array.from({ length: maxTile }, (_, i) => i + 1);

/** What more tokens than one tile are cut into. */
const panelTiles = tiles.filter(tile => 2 * tile >= maxTile);

const is32 = (type: string): type is keyof typeof formats32 => type in formats32;
const is256 = (type: string): type is keyof typeof formats256 => type in formats256;

/** Bytes of a block of a panel of such weights; 0: they have none, since their values need more than seven bits. */
export function panelBytes(type: QuantType): number {
  if (is32(type)) return formats32[type].planes.length > 1 ? 0 : panelBytes32;
  return is256(type) && !('inPlanes' in formats256[type]) ? panelBytes256(type) : 0;
}

/** The variants of a part that differ: only kernels of quantised weights have integer products. */
export function variantsOf(part: KernelPart): readonly Variant[] {
  if (is32(part) || is256(part)) return variants;
  return variants.filter((v, i) => variants.findIndex(other => other.revectorize === v.revectorize) === i);
}

/** The sizes that a part's kernels are chosen for. */
export function sizesOf(part: KernelPart): readonly KernelSize[] {
  if (!is32(part) && !is256(part)) return ['all'];
  return panelBytes(part) ? ['one', 'few', 'many'] : ['one', 'few'];
}

function functions(part: KernelPart, size: KernelSize, dot: Dot): Func[] {
  return (part === 'common' ? commonFunctions() : weightFunctions(part, size, dot)) as unknown as Func[];
}

function weightFunctions(type: QuantType, size: KernelSize, dot: Dot) {
  if (size === 'one') return [...products(type, [1], dot), pack(type)];
  if (size === 'few') return products(type, tiles.slice(1), dot);
  return size === 'many' ? panels(type, dot) : [...products(type, tiles, dot), pack(type)];
}

function commonFunctions() {
  return [
    ...cacheTypes.flatMap(type => Array.from({ length: maxQueries }, (_, i) => attention(type, i + 1))),
    ...[quantize32(), quantize256(), interleaveFloats(), rmsNorm(), layerNorm(), storeKv(), storeKvBytes()],
    ...[gate('silu'), gate('gelu'), add(), scale(), softcap(), ropeAdjacent(), ropeHalves()],
  ];
}

function products(type: QuantType, wanted: readonly number[], dot: Dot) {
  return wanted.map(tile => {
    if (is32(type)) return product32(type, tile, dot);
    if (is256(type)) return product256(type, tile, dot);
    return productFloat(type as keyof typeof floatFormats, tile);
  });
}

function panels(type: QuantType, dot: Dot) {
  if (is32(type)) return [...panelTiles.map(tile => panelProduct32(type, tile, dot)), unpack32(type)];
  return is256(type) ? [...panelTiles.map(tile => panelProduct256(type, tile, dot)), unpack256(type)] : [];
}

const assembled = new Map<string, Uint8Array<ArrayBuffer>>();

/** The module of a part's kernels of one size in a variant, before V8 sees it; written once a thread. */
export function kernelBytes(part: KernelPart, size: KernelSize, { name, dot }: Variant): Uint8Array<ArrayBuffer> {
  const key = `${part} ${size} ${name}`;
  const bytes = assembled.get(key) ?? assembleModule(functions(part, size, dot), `${part} ${name}`);
  assembled.set(key, bytes);
  return bytes;
}

/**
 * Compiles kernels for a variant. V8's flags belong to the whole process: they are set only while it compiles, so that
 * no tenant's program goes through the experimental pass, and by one thread at a time. Without lazy compilation and the
 * baseline compiler the optimised code is there when this returns; inlining trips a check in V8 when the pass is on.
 */
export function compileKernels(bytes: Uint8Array<ArrayBuffer>, { revectorize }: Variant): WebAssembly.Module {
  const flags = ['liftoff', 'wasm-lazy-compilation', 'wasm-inlining'];
  return exclusively(() => {
    for (const flag of flags) v8.setFlagsFromString(`--no-${flag}`);
    if (revectorize) v8.setFlagsFromString('--experimental-wasm-revectorize');
    try {
      return new WebAssembly.Module(bytes);
    } finally {
      for (const flag of flags) v8.setFlagsFromString(`--${flag}`);
      v8.setFlagsFromString('--no-experimental-wasm-revectorize');
    }
  });
}

const lockName = 'realm.compiling';

/** Makes the lock that threads started from here on share; called before a thread starts that compiles kernels. */
export function shareCompileLock(): Int32Array {
  const known = getEnvironmentData(lockName) as Int32Array | undefined;
  const lock = known ?? new Int32Array(new SharedArrayBuffer(4));
  if (!known) setEnvironmentData(lockName, lock);
  return lock;
}

function exclusively<T>(work: () => T): T {
  const lock = shareCompileLock();
  // A holder that was terminated never lets go: after five seconds the lock is taken over.
  while (Atomics.compareExchange(lock, 0, 0, 1) !== 0) if (Atomics.wait(lock, 0, 1, 5000) === 'timed-out') break;
  try {
    return work();
  } finally {
    Atomics.store(lock, 0, 0);
    Atomics.notify(lock, 0, 1);
  }
}

/** How a weight type's kernels take their input, and the bytes of one block of a row group. */
export function kernelOf(type: QuantType): { activation: 'q32' | 'q256' | 'f32'; groupBytes: number } | undefined {
  if (is32(type)) return { activation: 'q32', groupBytes: formats32[type].groupBytes };
  if (is256(type)) return { activation: 'q256', groupBytes: formats256[type].groupBytes };
  if (type in floatFormats)
    return { activation: 'f32', groupBytes: floatFormats[type as keyof typeof floatFormats].groupBytes };
  return undefined;
}
