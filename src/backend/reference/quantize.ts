import { nearestEven } from './math.ts';

const f = Math.fround;
const GROUP = 16;

/** A row of activations as int8 blocks of 32 or 256. */
export interface Activation {
  readonly blockSize: number;
  /** [columns], -127..127 */
  readonly q: Int8Array;
  /** Scale of each block, [columns / blockSize]. */
  readonly d: Float32Array;
  /** Integer sums of each 16 values, [columns / 16]. */
  readonly sums: Int32Array;
}

/** Quantises a row to 8 bits, symmetric: x ≈ d * q with d = max|x| / 127 in each block. */
export function quantize(x: Float32Array, blockSize: number): Activation {
  const blocks = x.length / blockSize;
  const out = {
    blockSize,
    q: new Int8Array(x.length),
    d: new Float32Array(blocks),
    sums: new Int32Array(x.length / GROUP),
  };
  for (let b = 0; b < blocks; b++) quantizeBlock(x, b, out);
  return out;
}

function quantizeBlock(x: Float32Array, block: number, out: Activation): void {
  const start = block * out.blockSize;
  let largest = 0;
  for (let i = start; i < start + out.blockSize; i++) largest = Math.max(largest, Math.abs(x[i]));
  const d = f(largest / 127);
  const inverse = d < 1e-30 ? 0 : f(1 / d);
  out.d[block] = d;
  for (let i = start; i < start + out.blockSize; i++) {
    const q = nearestEven(f(x[i] * inverse));
    out.q[i] = q;
    out.sums[Math.floor(i / GROUP)] += q;
  }
}
