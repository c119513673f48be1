/**
 * How weights lie in memory for the kernels. Eight rows make a group; a group's blocks follow each other, and inside
 * a block the rows' words are interleaved, so that a 16-byte load holds four rows and its neighbour the next four: lanes
 * are rows. Every layout is a permutation of the words of the file's own blocks: nothing is decoded, nothing grows, and
 * a row can be taken back out (for token embeddings).
 */
import type { QuantType } from '../quant/types.ts';

/** Rows in a group. */
export const groupRows = 8;

/** `count` words of `bytes` each, at `from` in the file's block; row r's word i goes to `to + (i * 8 + r) * bytes`. */
export interface Move {
  readonly from: number;
  readonly to: number;
  readonly bytes: 2 | 4;
  readonly count: number;
}

export interface Layout {
  /** Elements of a block. */
  readonly blockSize: number;
  /** Bytes of a block of one row, as in the file. */
  readonly blockBytes: number;
  readonly moves: readonly Move[];
}

/** Parts of a block in the order in which they stand in a packed group: [offset in the file's block, word bytes, words]. */
type Part = readonly [from: number, bytes: 2 | 4, count: number];

function layout(blockSize: number, blockBytes: number, parts: readonly Part[]): Layout {
  let to = 0;
  const moves = parts.map(([from, bytes, count]) => {
    const move: Move = { from, to, bytes, count };
    to += bytes * count * groupRows;
    return move;
  });
  if (to !== blockBytes * groupRows)
    throw new Error(`a layout of ${to} bytes for ${groupRows} blocks of ${blockBytes}`);
  return { blockSize, blockBytes, moves };
}

/** Q6_K: for each half and each four columns, the words of ql (twice) and qh that belong together. */
const q6kQuants = Array.from({ length: 16 }, (_, i): Part[] => {
  const half = i >> 3;
  const column = 4 * (i & 7);
  return [
    [64 * half + column, 4, 1],
    [64 * half + 32 + column, 4, 1],
    [128 + 32 * half + column, 4, 1],
  ];
}).flat();

export const layouts: Partial<Record<QuantType, Layout>> = {
  Q4_0: layout(32, 18, [
    [2, 4, 4],
    [0, 2, 1],
  ]),
  Q4_1: layout(32, 20, [
    [4, 4, 4],
    [0, 2, 1],
    [2, 2, 1],
  ]),
  Q5_0: layout(32, 22, [
    [6, 4, 4],
    [2, 4, 1],
    [0, 2, 1],
  ]),
  Q5_1: layout(32, 24, [
    [8, 4, 4],
    [4, 4, 1],
    [0, 2, 1],
    [2, 2, 1],
  ]),
  Q8_0: layout(32, 34, [
    [2, 4, 8],
    [0, 2, 1],
  ]),
  IQ4_NL: layout(32, 18, [
    [2, 4, 4],
    [0, 2, 1],
  ]),
  Q4_K: layout(256, 144, [
    [16, 4, 32],
    [4, 2, 6],
    [0, 2, 1],
    [2, 2, 1],
  ]),
  Q5_K: layout(256, 176, [
    [48, 4, 32],
    [16, 4, 8],
    [4, 2, 6],
    [0, 2, 1],
    [2, 2, 1],
  ]),
  Q6_K: layout(256, 210, [...q6kQuants, [192, 2, 8], [208, 2, 1]]),
  Q2_K: layout(256, 84, [
    [16, 4, 16],
    [0, 2, 8],
    [80, 2, 1],
    [82, 2, 1],
  ]),
  Q3_K: layout(256, 110, [
    [32, 4, 16],
    [0, 4, 8],
    [96, 2, 6],
    [108, 2, 1],
  ]),
  IQ4_XS: layout(256, 136, [
    [8, 4, 32],
    [4, 2, 2],
    [2, 2, 1],
    [0, 2, 1],
  ]),
  Q8_K: layout(256, 292, [
    [4, 4, 64],
    [260, 2, 16],
    [0, 4, 1],
  ]),
  F16: layout(1, 2, [[0, 2, 1]]),
  BF16: layout(1, 2, [[0, 2, 1]]),
  F32: layout(1, 4, [[0, 4, 1]]),
};

/** Bytes of a packed matrix. */
export function packedBytes({ blockSize, blockBytes }: Layout, rows: number, columns: number): number {
  return Math.ceil(rows / groupRows) * groupRows * (columns / blockSize) * blockBytes;
}

/** Takes row `row` of a packed matrix back into the file's layout. */
export function unpackRow(
  packed: Uint8Array,
  { blockSize, blockBytes, moves }: Layout,
  columns: number,
  row: number,
  target: Uint8Array,
): void {
  const blocks = columns / blockSize;
  const group = Math.floor(row / groupRows) * blocks * blockBytes * groupRows;
  for (let block = 0; block < blocks; block++) {
    const source = group + block * blockBytes * groupRows;
    for (const { from, to, bytes, count } of moves) {
      for (let i = 0; i < count; i++) {
        const at = source + to + (i * groupRows + (row % groupRows)) * bytes;
        for (let b = 0; b < bytes; b++) target[block * blockBytes + from + i * bytes + b] = packed[at + b];
      }
    }
  }
}
