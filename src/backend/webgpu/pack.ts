/** Brings rows from the file's layout into planes; see layout.ts. */
import {
  floatQuads,
  type Layout,
  type Move,
  type Plane,
  type PlaneName,
  planeNames,
  planeQuads,
  rowsTogether,
} from './layout.ts';

/** The words of some rows, by plane. Floats have one plane, `low`. */
export type Packed = { readonly [name in PlaneName]?: Uint32Array<ArrayBuffer> };

/** @param bytes whole rows in the file's layout, at an even offset */
export function packRows(layout: Layout, bytes: Uint8Array, rows: number, columns: number): Packed {
  const even = layout.blockBytes % 2 === 0 ? bytes : evenBlocks(bytes, layout.blockBytes);
  const source = new Uint16Array(even.buffer, even.byteOffset, even.byteLength >> 1);
  if (layout.blockSize === 1) return { low: packFloats(layout, source, rows, columns) };
  const packed: { [name in PlaneName]?: Uint32Array<ArrayBuffer> } = {};
  const blocks = rows * (columns / layout.blockSize);
  for (const name of planeNames) {
    const plane = layout.planes[name];
    if (!plane) continue;
    const target = new Uint32Array(4 * planeQuads(plane, layout, rows, columns));
    packPlane(plane, source, Math.ceil(layout.blockBytes / 2), blocks, target);
    packed[name] = target;
  }
  return packed;
}

/** A zero behind the first byte of each block, which is its scale. */
function evenBlocks(bytes: Uint8Array, blockBytes: number): Uint8Array {
  const blocks = bytes.length / blockBytes;
  const even = new Uint8Array(blocks * (blockBytes + 1));
  for (let block = 0; block < blocks; block++) {
    const [from, to] = [block * blockBytes, block * (blockBytes + 1)];
    even[to] = bytes[from]!;
    for (let i = 1; i < blockBytes; i++) even[to + i + 1] = bytes[from + i]!;
  }
  return even;
}

/** Blocks that stay in the nearest cache while one move after the other goes through them. */
const blocksTogether = 64;

function packPlane(
  { quads, single, bits }: Plane,
  source: Uint16Array,
  halves: number,
  blocks: number,
  target: Uint32Array,
) {
  for (let first = 0; first < blocks; first += blocksTogether) {
    const end = Math.min(blocks, first + blocksTogether);
    for (const move of quads) packQuad(move, source, halves, first, end, bits >> 5, target);
    for (const move of single) packSingle(move, source, halves, first, end, bits, target);
  }
}

/** One move in blocks from `first` to `end`, of `halves` half words each, to blocks of `words` words. */
function packQuad(
  { from, shift, mask, to, spread }: Move,
  source: Uint16Array,
  halves: number,
  first: number,
  end: number,
  words: number,
  target: Uint32Array,
) {
  const up = to & 31;
  let [at, word] = [first * halves + (from >> 1), first * words + (to >> 5)];
  if (spread) {
    const spreadOut = spread === 1 ? spreadBits : spreadPairs;
    for (let block = first; block < end; block++, at += halves, word += words)
      target[word]! |= spreadOut((source[at]! >>> shift) & mask) << up;
  } else {
    for (let block = first; block < end; block++, at += halves, word += words)
      target[word]! |= (((source[at]! | (source[at + 1]! << 16)) >>> shift) & mask) << up;
  }
}

/** Four bits, and four times two bits, to four bytes. */
const spreadBits = (bits: number): number => (bits * 0x00204081) & 0x01010101;

function spreadPairs(bits: number): number {
  const nibbles = (bits | (bits << 12)) & 0x000f000f;
  return (nibbles | (nibbles << 6)) & 0x03030303;
}

function packSingle(
  { from, shift, mask, to }: Move,
  source: Uint16Array,
  halves: number,
  first: number,
  end: number,
  bits: number,
  target: Uint32Array,
) {
  let [at, bit] = [first * halves + (from >> 1), first * bits + to];
  for (let block = first; block < end; block++, at += halves, bit += bits)
    target[bit >>> 5]! |= ((source[at]! >>> shift) & mask) << (bit & 31);
}

/** What is behind the last column and the last row is zero. */
function packFloats(layout: Layout, source: Uint16Array, rows: number, columns: number): Uint32Array<ArrayBuffer> {
  const quads = floatQuads(layout, columns);
  const target = new Uint16Array(Math.ceil(rows / rowsTogether) * rowsTogether * quads * 8);
  const halves = (columns * layout.blockBytes) >> 1;
  for (let row = 0; row < rows; row++) {
    const [from, group] = [row * halves, Math.floor(row / rowsTogether) * rowsTogether * quads];
    for (let i = 0; i < halves; i++) {
      target[8 * (group + (i >> 3) * rowsTogether + (row % rowsTogether)) + (i & 7)] = source[from + i]!;
    }
  }
  return new Uint32Array(target.buffer);
}
