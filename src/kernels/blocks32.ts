/** Matrix kernels of the formats with 32, 64 or 128 weights and one scale in a block; formats32.ts says how each unpacks. */

import { activationRecord } from './activation.ts';
import { Func, f32x4, i32, i32x4, type Local, type V128, v128 } from './assembler.ts';
import { type ConstantOf, constants, type Pair, pair, pairLocal, setPair, storePair } from './constants.ts';
import { addProducts, type Dot, type Step, type Sums, sumsOf } from './dot.ts';
import type { Format32 } from './formats32.ts';
import { halves, powers } from './halves.ts';
import { panelsAtOnce, unpackBlocks, unpackParams, unpacksFirst } from './panel.ts';
import { type ProductFunc, product } from './product.ts';

const constantNames = [
  'halfMask', 'halfScale', 'onesI16', 'byte', 'zero', 'nibble', 'eight', 'low4', 'spread', 'bit0', 'bit1', 'three',
  'iq4Rest', 'i16_15', 'i16_16', 'e2m1', 'leastPower', 'half', 'halfUnscale',
] as const; // biome-ignore format: a list

export function product32(format: Format32, tile: number, dot: Dot): ProductFunc {
  return product(
    `${format.name}x${tile}`,
    tile,
    { atOnce: 1, blockBytes: format.groupBytes, record: recordOf(format) },
    (f, sums, [w]) => {
      const constantOf = constants(f, constantNames);
      const integers = sumsOf(f, 1, tile);
      const [scale, minimum] = [pairLocal(f), pairLocal(f)];
      const unpacked = unpacksFirst(format, tile);
      const block = f.local('i32', i32.add(f.params.scratch, i32.const(blockAt)));
      return x => {
        if (unpacked) unpackPlanes(f, format, w, block, constantOf, dot);
        for (let input = 0; input < format.inputs; input++) {
          const planes = format.planes.map((plane, i) => {
            const steps = unpacked
              ? panelSteps(format, input, [block], i)
              : stepsOf(input, (word, h) => plane.weights(w, word, h, constantOf, dot));
            return { ...plane, steps };
          });
          addProducts(f, dot, constantOf, integers, { x, planes, first: true });
          if (input === 0) {
            setPair(f, scale, scaleOf(format, w, constantOf));
            if (format.minimumAt) setPair(f, minimum, minimumOf(w, format.minimumAt, constantOf));
          }
          scaleUp(f, format, constantOf, x, input, integers, sums, { scale: () => scale, minimum: () => minimum });
        }
        f.advance(w, format.groupBytes);
        f.advance(x, recordOf(format).bytes * tile);
      };
    },
  );
}

/** Where a block's weights stand in the scratch, behind the sums of the segments before. */
const blockAt = 2048;

/** A block of a panel: in each plane 8 words of eight rows for every 32 columns; scales as {@link halves} makes them, minimums. */
export const panelBytes32 = (format: Format32): number => panelScales(format) + 64;
const planeBytes = ({ inputs }: Format32) => 256 * inputs;
const panelScales = (format: Format32) => planeBytes(format) * format.planes.length;

export function panelProduct32(format: Format32, tile: number, dot: Dot): ProductFunc {
  const blockBytes = panelBytes32(format);
  const scalesAt = panelScales(format);
  const walkers = { atOnce: panelsAtOnce(dot), blockBytes, record: recordOf(format) };
  const at = (p: Local<'i32'>, offset: number): Pair => pair(h => v128.load(p, offset + 16 * h));
  return product(`${format.name}p${tile}`, tile, walkers, (f, sums, panels) => {
    const constantOf = constants(f, constantNames);
    const integers = sumsOf(f, panels.length, tile);
    const scale = (g: number) => at(panels[g], scalesAt);
    const minimum = (g: number) => at(panels[g], scalesAt + 32);
    return x => {
      for (let input = 0; input < format.inputs; input++) {
        const planes = format.planes.map((plane, i) => ({ ...plane, steps: panelSteps(format, input, panels, i) }));
        addProducts(f, dot, constantOf, integers, { x, planes, first: true });
        scaleUp(f, format, constantOf, x, input, integers, sums, { scale, minimum });
      }
      for (const panel of panels) f.advance(panel, blockBytes);
      f.advance(x, recordOf(format).bytes * tile);
    };
  });
}

/** Row groups to a panel. */
export function unpack32(format: Format32, dot: Dot): Func<typeof unpackParams> {
  const f = new Func(`unpack_${format.name}`, unpackParams);
  const { w, panel } = f.params;
  const constantOf = constants(f, constantNames);
  f.for(unpackBlocks(f, format.groupBytes), () => {
    unpackPlanes(f, format, w, panel, constantOf, dot);
    storePair(f, panel, scaleOf(format, w, constantOf), panelScales(format));
    if (format.minimumAt) storePair(f, panel, minimumOf(w, format.minimumAt, constantOf), panelScales(format) + 32);
    f.advance(w, format.groupBytes);
    f.advance(panel, panelBytes32(format));
  });
  return f;
}

/** What a token has for a block of weights. */
const recordOf = ({ inputs }: Format32) => ({ columns: 32 * inputs, bytes: activationRecord.q32.bytes * inputs });

/** Words of a token's share of a record: 8 of bytes, the scale, the sum, their product. */
const recordWords = activationRecord.q32.bytes / 4;

function unpackPlanes(
  f: Func,
  format: Format32,
  w: Local<'i32'>,
  panel: Local<'i32'>,
  constantOf: ConstantOf,
  dot: Dot,
): void {
  format.planes.forEach((plane, i) => {
    for (let word = 0; word < 8 * format.inputs; word++) {
      const weights = pair(h => plane.weights(w, word, h, constantOf, dot));
      storePair(f, panel, weights, planeBytes(format) * i + 32 * word);
    }
  });
}

/** The steps of a plane that {@link unpackPlanes} has unpacked. */
const panelSteps = (format: Format32, input: number, panels: readonly Local<'i32'>[], plane: number): Step[] =>
  stepsOf(input, (word, h, g) => v128.load(panels[g], planeBytes(format) * plane + 32 * word + 16 * h));

/** Of 32 columns. @param weights by the word's number in the block of weights */
const stepsOf = (input: number, weights: (word: number, half: 0 | 1, group: number) => V128): Step[] =>
  Array.from({ length: 8 }, (_, i) => ({
    word: recordWords * input + i,
    weights: (half, group) => weights(8 * input + i, half, group),
  }));

function scaleOf({ powerScale, scaleAt }: Format32, w: Local<'i32'>, constantOf: ConstantOf): Pair {
  return powerScale ? powers(w, scaleAt, constantOf) : halves(w, scaleAt, constantOf('halfMask'));
}

function minimumOf(w: Local<'i32'>, offset: number, constantOf: ConstantOf): Pair {
  const raw = halves(w, offset, constantOf('halfMask'));
  return pair(h => f32x4.mul(raw[h], constantOf('halfScale')[h]));
}

/** The block's integers, less the offset, times its scales, and its minimums, onto the float sums. */
function scaleUp(
  f: ProductFunc,
  { offsetShift, minimumAt, powerScale }: Format32,
  constantOf: ConstantOf,
  x: Local<'i32'>,
  input: number,
  integers: Sums,
  sums: Sums,
  { scale, minimum }: { scale: (group: number) => Pair; minimum: (group: number) => Pair },
): void {
  const tile = sums[0].length;
  const [offset, factor] = [f.local('v128'), f.local('v128')];
  for (let t = 0; t < tile; t++) {
    const field = (index: number) => v128.splat32(x, (recordWords * input + 8 + index) * 4 * tile + 4 * t);
    if (offsetShift !== undefined) f.set(offset, offsetShift ? i32x4.shl(field(1), offsetShift) : field(1));
    f.set(factor, powerScale ? f32x4.mul(field(0), constantOf('halfUnscale')[0]) : field(0));
    for (const [g, group] of sums.entries()) {
      const [sum, whole] = [group[t], integers[g][t]];
      const exact = offsetShift !== undefined ? pair(h => i32x4.sub(whole[h], offset)) : whole;
      setPair(
        f,
        sum,
        pair(h => f32x4.add(sum[h], f32x4.mul(f32x4.convert(exact[h]), f32x4.mul(scale(g)[h], factor)))),
      );
    }
    if (!minimumAt) continue;
    f.set(factor, field(2));
    for (const [g, group] of sums.entries()) {
      const sum = group[t];
      setPair(
        f,
        sum,
        pair(h => f32x4.add(sum[h], f32x4.mul(minimum(g)[h], factor))),
      );
    }
  }
}
