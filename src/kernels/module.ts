/** Which kernels make a module, and in which variants. */
import { platform } from '#platform';
import { formats } from '../quant/formats.ts';
import type { QuantType } from '../quant/types.ts';
import { interleaveFloats, maxTile, quantize32, quantize256 } from './activation.ts';
import { assembleModule, type Func } from './assembler.ts';
import { storeKeys, storeKeysBytes, storeKv, storeKvBytes } from './attention/store.ts';
import { attention, cacheTypes, maxQueries } from './attention.ts';
import { panelBytes32, panelProduct32, product32, unpack32 } from './blocks32.ts';
import { panelBytes256, panelProduct256, product256, unpack256 } from './blocks256.ts';
import type { Dot } from './dot.ts';
import { activate, add, gate, ropeAdjacent, ropeHalves, scale, softcap } from './elementwise.ts';
import { productFloat } from './floats.ts';
import { formats32 } from './formats32.ts';
import { formats256 } from './formats256.ts';
import { groupRows, layouts } from './layout.ts';
import { layerNorm, rmsNorm, unitLength } from './norm.ts';
import { pack } from './pack.ts';
import { productSmallFloat } from './small-floats.ts';
import { convolutionTaps, convolve, deltaGates, deltaRule, scan, scanGates, tileColumns } from './states.ts';

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
  { name: 'dotadd', dot: 'dotadd', revectorize: false },
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
export const parts: readonly KernelPart[] = ['common', ...(Object.keys(formats) as QuantType[])];

/** The kernel that multiplies weights of `type` with a tile of tokens. */
export const kernelName = (type: QuantType, tile: number): string => `${type}x${tile}`;

/** The kernel that multiplies a panel of such weights with a tile, and the one that fills the panel. */
export const panelKernelName = (type: QuantType, tile: number): string => `${type}p${tile}`;
export const unpackKernelName = (type: QuantType): string => `unpack_${type}`;

const tiles = Array.from({ length: maxTile }, (_, i) => i + 1);

/** What more tokens than one tile are cut into. */
const panelTiles = tiles.filter(tile => 2 * tile >= maxTile);

const isQuantised = (part: string): boolean => formats32.has(part) || formats256.has(part);

/** Bytes of a block of a panel of such weights; 0: floats have none. */
export function panelBytes(type: QuantType): number {
  const [blocks32, blocks256] = [formats32.get(type), formats256.get(type)];
  if (blocks32) return panelBytes32(blocks32);
  return blocks256 ? panelBytes256(blocks256) : 0;
}

/** The variants of a part that differ: only kernels of quantised weights have integer products. */
export function variantsOf(part: KernelPart): readonly Variant[] {
  if (isQuantised(part)) return variants;
  return variants.filter((v, i) => variants.findIndex(other => other.revectorize === v.revectorize) === i);
}

/** The sizes that a part's kernels are chosen for. */
export function sizesOf(part: KernelPart): readonly KernelSize[] {
  return isQuantised(part) ? ['one', 'few', 'many'] : ['all'];
}

function functions(part: KernelPart, size: KernelSize, dot: Dot): Func[] {
  return (part === 'common' ? commonFunctions() : weightFunctions(part, size, dot)) as unknown as Func[];
}

function weightFunctions(type: QuantType, size: KernelSize, dot: Dot) {
  if (size === 'one') return [...products(type, [1], dot), pack(formats[type])];
  if (size === 'few') return products(type, tiles.slice(1), dot);
  return size === 'many' ? panels(type, dot) : [...products(type, tiles, dot), pack(formats[type])];
}

function commonFunctions() {
  return [
    ...cacheTypes.flatMap(type => Array.from({ length: maxQueries }, (_, i) => attention(type, i + 1))),
    ...[quantize32(), quantize256(), interleaveFloats(), rmsNorm(), layerNorm(), storeKv(), storeKvBytes()],
    ...[storeKeys(), storeKeysBytes()],
    ...[gate('silu'), gate('gelu'), gate('sigmoid'), gate('relu2'), gate('linear'), gate('swiglu_oai')],
    ...[activate('silu'), activate('gelu'), activate('sigmoid'), activate('relu2')],
    ...[add(), scale(), softcap(), ropeAdjacent(), ropeHalves()],
    ...convolutionTaps.flatMap(taps => [convolve(taps, false), convolve(taps, true)]),
    ...[unitLength(), deltaGates(), scanGates(), ...[tileColumns, 8].flatMap(width => [deltaRule(width), scan(width)])],
  ];
}

function products(type: QuantType, wanted: readonly number[], dot: Dot) {
  const [blocks32, blocks256] = [formats32.get(type), formats256.get(type)];
  return wanted.map(tile => {
    if (blocks32) return product32(blocks32, tile, dot);
    return blocks256
      ? product256(blocks256, tile, dot)
      : (type === 'NVFP4' ? productSmallFloat : productFloat)(formats[type], tile);
  });
}

function panels(type: QuantType, dot: Dot) {
  const [blocks32, blocks256] = [formats32.get(type), formats256.get(type)];
  if (blocks32) return [...panelTiles.map(tile => panelProduct32(blocks32, tile, dot)), unpack32(blocks32, dot)];
  return blocks256 ? [...panelTiles.map(tile => panelProduct256(blocks256, tile, dot)), unpack256(blocks256, dot)] : [];
}

const assembled = new Map<string, Uint8Array<ArrayBuffer>>();

/** The module of a part's kernels of one size in a variant, before V8 sees it; written once a thread. */
export function kernelBytes(part: KernelPart, size: KernelSize, { name, dot }: Variant): Uint8Array<ArrayBuffer> {
  const key = `${part} ${size} ${name}`;
  const bytes =
    assembled.get(key) ?? assembleModule(functions(part, size, dot), `${part} ${name}`, platform.sharesMemory);
  assembled.set(key, bytes);
  return bytes;
}

/** Compiles kernels for a variant. */
export function compileKernels(bytes: Uint8Array<ArrayBuffer>, { revectorize }: Variant): WebAssembly.Module {
  return platform.compile(bytes, revectorize);
}

/** How a weight type's kernels take their input, and the bytes of one block of a row group. */
export function kernelOf(type: QuantType): { activation: 'q32' | 'q256' | 'f32'; groupBytes: number } {
  const activation = formats32.has(type) ? 'q32' : formats256.has(type) ? 'q256' : 'f32';
  return { activation, groupBytes: groupRows * layouts[type].blockBytes };
}
