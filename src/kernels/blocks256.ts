/**
 * Matrix kernels of the formats with 256 weights in a block and integer scales for its parts (see formats256.ts). A
 * block's scales are unpacked first, as 16-bit lanes ready for the widening dot; the walk over its weights is then the
 * same short loop in every format. `product256` unpacks weights where it multiplies them; `panelProduct256` takes them
 * from a panel, where `unpack256` has put them (see panel.ts).
 */

import { activationRecord } from './activation.ts';
import { Func, f32, f32x4, i32, i32x4, type Local, type V128, v128 } from './assembler.ts';
import { type ConstantOf, constants, type Pair, pair, pairLocal, setPair, storePair } from './constants.ts';
import { addProducts, type Dot, type Step, type Sums, sumsOf } from './dot.ts';
import type { Format256 } from './formats256.ts';
import { nibbleHalves, smallHalves } from './halves.ts';
import { panelsAtOnce, unpackBlocks, unpackParams, unpacksFirst } from './panel.ts';
import { type ProductFunc, product } from './product.ts';
import type { Place, Walk } from './weights256.ts';

/** Where the pairs for the minimums or the offset begin, behind the scales of 32 bytes each; and where they end. */
const pairsAt = ({ part }: Format256) => 32 * (256 / part);
const scalesEnd = ({ part }: Format256) => 48 * (256 / part);

/** A block of a panel: in each plane 64 words of eight rows; scales and pairs as in scratch; the f32 scales and minimums. */
export const panelBytes256 = (format: Format256): number => panelScales(format) + scalesEnd(format) + 64;
const planeBytes = 2048;
const panelScales = ({ planes }: Format256) => planeBytes * planes.length;

const constantNames = [
  'onesI16', 'byte', 'zero', 'nibble', 'eight', 'bit4', 'bits45', 'three', 'bit2', 'low16', 'high16', 'low4', 'high4',
  'scale45', 'scale2021', 'i16_15', 'i16_63', 'i16_48', 'i16_32', 'iq4Rest', 'i16_16', 'low15', 'firstNormal',
  'halfBias', 'smallestNormal', 'sign',
  'lowBits', 'highBits', 'bit0', 'bytes17', 'bytes32', 'bytes64', 'i32_43',
] as const; // biome-ignore format: a list

/** Where a block's weights stand in the scratch, behind the sums of the segments before. */
const blockAt = 2048;

/** One row group at a time: memory is read fastest in one stream. */
export function product256(format: Format256, tile: number, dot: Dot): ProductFunc {
  const { unpack } = format;
  return 'walk' in unpack && !unpacksFirst(format, tile)
    ? walkedProduct(format, unpack.walk, tile, dot)
    : unpackedProduct(format, tile, dot);
}

/** A block of a row group is unpacked, then multiplied. */
function unpackedProduct(format: Format256, tile: number, dot: Dot): ProductFunc {
  const walkers = { atOnce: 1, blockBytes: format.groupBytes, record: activationRecord.q256 };
  return product(`${format.name}x${tile}`, tile, walkers, (f, sums, [w]) => {
    const constantOf = constants(f, constantNames);
    const integers = sumsOf(f, 1, tile);
    const block = f.local('i32', i32.add(f.params.scratch, i32.const(blockAt)));
    return x => {
      unpackBlock(f, format, dot, constantOf, w, block);
      multiplyBlocks(f, format, dot, constantOf, [block], x, integers, sums);
      f.advance(w, format.groupBytes);
      f.advance(x, 308 * tile);
    };
  });
}

/** Weights are unpacked where they are multiplied. */
function walkedProduct(format: Format256, blockWalk: Walk, tile: number, dot: Dot): ProductFunc {
  return product(
    `${format.name}x${tile}`,
    tile,
    { atOnce: 1, blockBytes: format.groupBytes, record: activationRecord.q256 },
    (f, sums, [w]) => {
      const constantOf = constants(f, constantNames);
      const { scratch } = f.params;
      const integers = sumsOf(f, 1, tile);
      const [scale, minimum] = [pairLocal(f), pairLocal(f)];
      return x => {
        expandScales(f, format, constantOf, w, scratch);
        for (const sum of integers[0]) setPair(f, sum, constantOf('zero'));
        multiply(f, format, blockWalk, dot, constantOf, w, x, integers);
        setPair(f, scale, scaleOf(f, format, w, constantOf));
        if (format.minimumAt) setPair(f, minimum, smallHalves(f, w, format.minimumAt, constantOf));
        scaleUp(f, format, constantOf, x, integers, sums, {
          pairs: (_, i) => pair(h => v128.load(scratch, pairsAt(format) + 32 * i + 16 * h)),
          scale: () => scale,
          minimum: () => minimum,
        });
        f.advance(w, format.groupBytes);
        f.advance(x, 308 * tile);
      };
    },
  );
}

export function panelProduct256(format: Format256, tile: number, dot: Dot): ProductFunc {
  const blockBytes = panelBytes256(format);
  return product(
    `${format.name}p${tile}`,
    tile,
    { atOnce: panelsAtOnce(dot), blockBytes, record: activationRecord.q256 },
    (f, sums, panels) => {
      const constantOf = constants(f, constantNames);
      const integers = sumsOf(f, panels.length, tile);
      return x => {
        multiplyBlocks(f, format, dot, constantOf, panels, x, integers, sums);
        for (const panel of panels) f.advance(panel, blockBytes);
        f.advance(x, 308 * tile);
      };
    },
  );
}

/** A block of each panel onto the sums. */
function multiplyBlocks(
  f: ProductFunc,
  format: Format256,
  dot: Dot,
  constantOf: ConstantOf,
  panels: readonly Local<'i32'>[],
  x: Local<'i32'>,
  integers: Sums,
  sums: Sums,
): void {
  const at = (g: number, offset: number): Pair => pair(h => v128.load(panels[g], offset + 16 * h));
  for (const sum of integers.flat()) setPair(f, sum, constantOf('zero'));
  multiplyPanels(f, format, dot, constantOf, panels, x, integers);
  scaleUp(f, format, constantOf, x, integers, sums, {
    pairs: (g, i) => at(g, panelScales(format) + pairsAt(format) + 32 * i),
    scale: g => at(g, panelBytes256(format) - 64),
    minimum: g => at(g, panelBytes256(format) - 32),
  });
}

/** Row groups to a panel. */
export function unpack256(format: Format256, dot: Dot): Func<typeof unpackParams> {
  const blockBytes = panelBytes256(format);
  const f = new Func(`unpack_${format.name}`, unpackParams);
  const { w, panel } = f.params;
  const constantOf = constants(f, constantNames);
  f.for(unpackBlocks(f, format.groupBytes), () => {
    unpackBlock(f, format, dot, constantOf, w, panel);
    f.advance(w, format.groupBytes);
    f.advance(panel, blockBytes);
  });
  return f;
}

function unpackBlock(
  f: Func,
  format: Format256,
  dot: Dot,
  constantOf: ConstantOf,
  w: Local<'i32'>,
  panel: Local<'i32'>,
): void {
  const { unpack, minimumAt } = format;
  const blockBytes = panelBytes256(format);
  const scales = f.local('i32', i32.add(panel, i32.const(panelScales(format))));
  expandScales(f, format, constantOf, w, scales);
  storePair(f, panel, scaleOf(f, format, w, constantOf), blockBytes - 64);
  if (minimumAt) storePair(f, panel, smallHalves(f, w, minimumAt, constantOf), blockBytes - 32);
  if ('toPanel' in unpack) {
    unpack.toPanel(f, w, panel, constantOf);
    return;
  }
  const to = f.local('i32', panel);
  walk(f, unpack.walk, dot, constantOf, w, [[to, 32, 0]], place => {
    for (const run of unpack.walk.runs(place))
      run.planes.forEach((steps, i) => {
        for (const { word, weights } of steps) storePair(f, to, pair(weights), planeBytes * i + 32 * word);
      });
  });
}

function scaleOf(f: Func, format: Format256, w: Local<'i32'>, constantOf: ConstantOf): Pair {
  const { scaleType, scaleAt, factor } = format;
  if (scaleType === 'F32') return pair(h => v128.load(w, scaleAt + 16 * h));
  const scale = (scaleType === 'F16' ? smallHalves : nibbleHalves)(f, w, scaleAt, constantOf);
  if (factor === 1) return scale;
  const splat = f.local('v128', f32x4.splat(f32.const(factor)));
  return pair(h => f32x4.mul(scale[h], splat));
}

/** A block's scales to `to`: every part's twice per row, then in pairs for what is subtracted at the end. */
function expandScales(f: Func, format: Format256, c: ConstantOf, w: Local<'i32'>, to: Local<'i32'>): void {
  const both = pairLocal(f);
  for (let i = 0; i < 128 / format.part; i++) {
    setPair(f, both, format.scales?.(w, c, i) ?? c('onesI16'));
    const even = pair(h => v128.or(v128.and(both[h], c('low16')[h]), i32x4.shl(both[h], 16)));
    const odd = pair(h => v128.or(v128.and(both[h], c('high16')[h]), i32x4.shrU(both[h], 16)));
    storePair(f, to, even, 64 * i);
    storePair(f, to, odd, 64 * i + 32);
    storePair(f, to, format.minimums?.(w, c, i) ?? both, pairsAt(format) + 32 * i);
  }
}

/** A pointer that goes along with a walk: how far for a word, for a scale. */
type Follower = readonly [pointer: Local<'i32'>, perWord: number, perScale: number];

/** Walks over a block, calling `turn` with the place (once, when the loop is generated). */
function walk(
  f: Func,
  { outer, inner, innerAdvance, outerAdvance }: Walk,
  dot: Dot,
  constantOf: ConstantOf,
  block: Local<'i32'>,
  followers: readonly Follower[],
  turn: (place: Place) => void,
): void {
  const w = f.local('i32', block);
  const [i, j] = [f.local('i32', i32.const(0)), f.local('i32')];
  const advance = ([bytes, words, scales]: Walk['innerAdvance']) => {
    f.advance(w, bytes);
    for (const [pointer, perWord, perScale] of followers) f.advance(pointer, words * perWord + scales * perScale);
  };
  const innerTurn = () => {
    turn({ f, block, w, outer: i, inner: j, constantOf, dot });
    advance(innerAdvance);
    f.advance(j, 1);
  };
  f.doWhile(
    () => {
      f.set(j, i32.const(0));
      if (inner === 1) innerTurn();
      else f.doWhile(innerTurn, () => i32.ltU(j, i32.const(inner)));
      advance(outerAdvance);
      f.advance(i, 1);
    },
    () => i32.ltU(i, i32.const(outer)),
  );
}

/** Weights are unpacked where they are multiplied. */
function multiply(
  f: ProductFunc,
  format: Format256,
  blockWalk: Walk,
  dot: Dot,
  constantOf: ConstantOf,
  w: Local<'i32'>,
  x: Local<'i32'>,
  integers: Sums,
): void {
  const [words, scales] = [f.local('i32', x), f.local('i32', f.params.scratch)];
  const followers: Follower[] = [
    [words, 4 * integers[0].length, 0],
    [scales, 0, 32],
  ];
  walk(f, blockWalk, dot, constantOf, w, followers, place => {
    for (const run of blockWalk.runs(place)) {
      const scale = () => pair(h => v128.load(scales, 32 * run.scale + 16 * h));
      const planes = format.planes.map((plane, i) => ({ ...plane, steps: run.planes[i] }));
      addProducts(f, dot, constantOf, integers, { x: words, planes, scale, first: false });
    }
  });
}

/** Eight words at a time: one part of 32 or two of 16. */
function multiplyPanels(
  f: ProductFunc,
  format: Format256,
  dot: Dot,
  constantOf: ConstantOf,
  panels: readonly Local<'i32'>[],
  x: Local<'i32'>,
  integers: Sums,
): void {
  const words = f.local('i32', x);
  const weights = panels.map(panel => f.local('i32', panel));
  const scales = panels.map(panel => f.local('i32', i32.add(panel, i32.const(panelScales(format)))));
  const perPart = format.part / 4;
  f.for(i32.const(8), () => {
    for (let first = 0; first < 8; first += perPart) {
      const scale = (g: number) => pair(h => v128.load(scales[g], (32 * first) / perPart + 16 * h));
      const planes = format.planes.map((plane, p) => {
        const steps = Array.from({ length: perPart }, (_, i): Step => {
          const word = first + i;
          return { word, weights: (h, g) => v128.load(weights[g], planeBytes * p + 32 * word + 16 * h) };
        });
        return { ...plane, steps };
      });
      addProducts(f, dot, constantOf, integers, { x: words, planes, scale, first: false });
    }
    for (const at of weights) f.advance(at, 256);
    for (const at of scales) f.advance(at, 32 * (32 / format.part));
    f.advance(words, 32 * integers[0].length);
  });
}

/** What a block's integers are scaled with. */
interface Scales {
  /** Minimums, or scales for the offset, of parts 2i and 2i + 1. */
  readonly pairs: (group: number, i: number) => Pair;
  readonly scale: (group: number) => Pair;
  readonly minimum: (group: number) => Pair;
}

/** The block's integers, less offset or minimums, times its scales, onto the float sums. */
function scaleUp(
  f: ProductFunc,
  { part, offset, odd, minimumAt }: Format256,
  c: ConstantOf,
  x: Local<'i32'>,
  integers: Sums,
  sums: Sums,
  { pairs, scale, minimum }: Scales,
): void {
  const tile = sums[0].length;
  const corrections = sums.map(() => pairLocal(f));
  const factor = f.local('v128');
  // Words of the record: 64 of bytes, 1 scale, 8 sums of 16, 4 sums of 32.
  const field = (word: number, token: number) => v128.splat32(x, (word * tile + token) * 4);
  const timesOffset = (sum: V128, h: 0 | 1): V128 =>
    offset === 43 ? i32x4.mul(sum, c('i32_43')[h]) : i32x4.shl(sum, Math.log2(offset ?? 1));
  const firstSum = part === 16 ? 65 : 73;
  for (let t = 0; t < tile; t++) {
    for (let i = 0; i < 128 / part; i++) {
      f.set(factor, field(firstSum + i, t));
      for (const [g, correction] of corrections.entries()) {
        const dots = pair(h => i32x4.dot(pairs(g, i)[h], factor));
        setPair(f, correction, i === 0 ? dots : pair(h => i32x4.add(correction[h], dots[h])));
      }
    }
    f.set(factor, field(64, t));
    for (const [g, correction] of corrections.entries()) {
      const [sum, whole] = [sums[g][t], integers[g][t]];
      const meant = odd ? pair(h => i32x4.add(i32x4.shl(whole[h], 1), correction[h])) : whole;
      const exact = offset ? pair(h => i32x4.sub(meant[h], timesOffset(correction[h], h))) : meant;
      setPair(
        f,
        sum,
        pair(h => f32x4.add(sum[h], f32x4.mul(f32x4.convert(exact[h]), f32x4.mul(scale(g)[h], factor)))),
      );
      if (!minimumAt) continue;
      setPair(
        f,
        sum,
        pair(h => f32x4.sub(sum[h], f32x4.mul(f32x4.convert(correction[h]), f32x4.mul(minimum(g)[h], factor)))),
      );
    }
  }
}
