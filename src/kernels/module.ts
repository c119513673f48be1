/** All kernels in one module per variant, and how V8 is asked to compile it. */
import v8 from 'node:v8';
import { assembleModule, type Func } from './assembler.ts';
import { attention, maxQueries, storeKv } from './attention.ts';
import { interleaveFloats, maxTile, quantize32, quantize256 } from './activation.ts';
import { formats32, product32 } from './blocks32.ts';
import { formats256, product256 } from './blocks256.ts';
import { add, gate, ropeAdjacent, ropeHalves, scale, softcap } from './elementwise.ts';
import { floatFormats, productFloat } from './floats.ts';
import { layouts } from './layout.ts';
import { layerNorm, rmsNorm } from './norm.ts';
import { pack } from './pack.ts';
import type { Dot } from './product.ts';
import type { QuantType } from '../quant/types.ts';

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

const tiles = Array.from({ length: maxTile }, (_, i) => i + 1);
const keys = <T extends object>(table: T) => Object.keys(table) as (keyof T)[];

function functions(dot: Dot): Func[] {
  const list = [
    ...keys(formats32).flatMap(type => tiles.map(tile => product32(type, tile, dot))),
    ...keys(formats256).flatMap(type => tiles.map(tile => product256(type, tile, dot))),
    ...keys(floatFormats).flatMap(type => tiles.map(tile => productFloat(type, tile))),
    ...(Object.keys(layouts) as QuantType[]).map(pack),
    ...Array.from({ length: maxQueries }, (_, i) => attention(i + 1)),
    ...[quantize32(), quantize256(), interleaveFloats(), rmsNorm(), layerNorm(), storeKv()],
    ...[gate('silu'), gate('gelu'), add(), scale(), softcap(), ropeAdjacent(), ropeHalves()],
  ];
  return list as unknown as Func[];
}

/**
 * Compiles a variant. The flags are set only while it compiles, so that no tenant's program goes through the
 * experimental pass; without lazy compilation and the baseline compiler the optimised code is there when this returns.
 */
export function compileKernels({ dot, revectorize }: Variant): WebAssembly.Module {
  const bytes = assembleModule(functions(dot));
  const flags = ['liftoff', 'wasm-lazy-compilation', 'wasm-inlining'];
  for (const flag of flags) v8.setFlagsFromString(`--no-${flag}`);
  if (revectorize) v8.setFlagsFromString('--experimental-wasm-revectorize');
  try {
    return new WebAssembly.Module(bytes);
  } finally {
    for (const flag of flags) v8.setFlagsFromString(`--${flag}`);
    v8.setFlagsFromString('--no-experimental-wasm-revectorize');
  }
}

/** How a weight type's kernels take their input, and the bytes of one block of a row group. */
export function kernelOf(type: QuantType): { activation: 'q32' | 'q256' | 'f32'; groupBytes: number } | undefined {
  if (type in formats32) return { activation: 'q32', groupBytes: formats32[type as keyof typeof formats32].groupBytes };
  if (type in formats256)
    return { activation: 'q256', groupBytes: formats256[type as keyof typeof formats256].groupBytes };
  if (type in floatFormats)
    return { activation: 'f32', groupBytes: floatFormats[type as keyof typeof floatFormats].groupBytes };
  return undefined;
}
