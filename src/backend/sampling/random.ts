/**
 * Philox 4x32-10, a counter-based generator (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC'11).
 * The n-th number of a seed is a function of both, so a generation that is interrupted and resumed, or that shares its
 * batch with others, draws the same numbers: there is no state to keep.
 */

const m0 = 0xd2511f53;
const m1 = 0xcd9e8d57;
const weyl0 = 0x9e3779b9;
const weyl1 = 0xbb67ae85;

export type Words = readonly [number, number, number, number];

/** The block of four unsigned 32-bit words at `counter` under the 64-bit key (k0, k1). */
export function philox(counter: Words, k0: number, k1: number): Words {
  let [c0, c1, c2, c3] = counter;
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(m0, c0);
    const low0 = Math.imul(m0, c0);
    const high1 = multiplyHigh(m1, c2);
    const low1 = Math.imul(m1, c2);
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 = (k0 + weyl0) | 0;
    k1 = (k1 + weyl1) | 0;
  }
  return [c0 >>> 0, c1 >>> 0, c2 >>> 0, c3 >>> 0];
}

/** Upper 32 bits of the unsigned 64-bit product. */
function multiplyHigh(a: number, b: number): number {
  const aHigh = a >>> 16;
  const aLow = a & 0xffff;
  const bHigh = b >>> 16;
  const bLow = b & 0xffff;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carry = aLow * bHigh + (middle % 0x10000);
  return (aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(carry / 0x10000)) | 0;
}

import type { SamplingSpec } from '../backend.ts';

type Seed = SamplingSpec['seed'];

/** The lowest 64 bits of any integer: a negative number and the unsigned one with its bits are one seed. */
export function seedOf(integer: number | bigint): Seed {
  const bits = BigInt.asUintN(64, BigInt(integer));
  return [Number(bits & 0xffffffffn), Number(bits >> 32n)];
}

/** The `index`-th number of `seed` (a safe integer), uniform in [0, 1) with 53 bits. */
export function uniform(seed: Seed, index: number): number {
  const [a, b] = philox([index >>> 0, high(index), 0, 0], seed[0], seed[1]);
  return ((a >>> 5) * 0x4000000 + (b >>> 6)) / 0x20000000000000;
}

function high(value: number): number {
  return Math.floor(value / 0x100000000) >>> 0;
}
