/** Brings rows from the file's layout into planes; see layout.ts. */
import { floatQuads, type Layout, type Plane, type PlaneName, planeNames, planeQuads, rowsTogether } from './layout.ts';

/** The words of some rows, by plane. Floats have one plane, `low`. */
export type Packed = { readonly [name in PlaneName]?: Uint32Array<ArrayBuffer> };

/** @param bytes whole rows in the file's layout, at an even offset */
export function packRows(layout: Layout, bytes: Uint8Array, rows: number, columns: number): Packed {
  const source = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 1);
  if (layout.blockSize === 1) return { low: packFloats(layout, source, rows, columns) };
  const packed: { [name in PlaneName]?: Uint32Array<ArrayBuffer> } = {};
  const blocks = rows * (columns / layout.blockSize);
  for (const name of planeNames) {
    const plane = layout.planes[name];
    if (!plane) continue;
    const target = new Uint32Array(4 * planeQuads(plane, layout, rows, columns));
    packQuads(plane, source, layout.blockBytes, blocks, target);
    packSingles(plane, source, layout.blockBytes, blocks, target);
    packed[name] = target;
  }
  return packed;
}

function packQuads(
  { quads, bits }: Plane,
  source: Uint16Array,
  blockBytes: number,
  blocks: number,
  target: Uint32Array,
) {
  const [from, shift, mask] = [
    quads.map(move => move.from >> 1),
    quads.map(move => move.shift),
    quads.map(({ mask }) => mask),
  ];
  const [word, up] = [quads.map(({ to }) => to >> 5), quads.map(({ to }) => to & 31)];
  const spread = quads[0]?.spread ?? false;
  for (let block = 0; block < blocks; block++) {
    const [at, to] = [(block * blockBytes) >> 1, (block * bits) >>> 5];
    for (let i = 0; i < quads.length; i++) {
      const half = at + from[i]!;
      const four = spread
        ? (((source[half]! >>> shift[i]!) & 15) * 0x00204081) & 0x01010101
        : ((source[half]! | (source[half + 1]! << 16)) >>> shift[i]!) & mask[i]!;
      target[to + word[i]!]! |= four << up[i]!;
    }
  }
}

function packSingles(
  { single, bits }: Plane,
  source: Uint16Array,
  blockBytes: number,
  blocks: number,
  target: Uint32Array,
) {
  for (let block = 0; block < blocks; block++) {
    const [at, to] = [(block * blockBytes) >> 1, block * bits];
    for (const move of single) {
      const bit = to + move.to;
      target[bit >>> 5]! |= ((source[at + (move.from >> 1)]! >>> move.shift) & move.mask) << (bit & 31);
    }
  }
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
