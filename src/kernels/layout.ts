/**
 * How weights lie in memory for the kernels. Eight rows make a group; a group's blocks follow each other, and inside
 * a block the rows' words are interleaved, so that a 16-byte load holds four rows and its neighbour the next four: lanes
 * are rows. Every layout is a permutation of the words of the file's own blocks, or of their expanded form: but for that
 * nothing is decoded, nothing grows, and a row can be taken back out (for token embeddings).
 */
import type { QuantFormat } from '../quant/format.ts';
import { formats } from '../quant/formats.ts';
import type { QuantType } from '../quant/types.ts';

/** Rows in a group. */
export const groupRows = 8;

/** What a kernel takes that packs a group of rows. */
export const packParams = { source: 'i32', rowBytes: 'i32', blocks: 'i32', target: 'i32' } as const;

/** `count` words of `bytes` each, at `from` in the file's block; row r's word i goes to `to + (i * 8 + r) * bytes`. */
export interface Move {
  readonly from: number;
  readonly to: number;
  readonly bytes: 1 | 2 | 4;
  readonly count: number;
}

export interface Layout {
  /** Elements of a block. */
  readonly blockSize: number;
  /** Bytes of a block of one row, as in the file. */
  readonly blockBytes: number;
  readonly moves: readonly Move[];
}

/** A format's words in its own order, those of eight rows beside each other. */
export function layoutOf({ name, blockSize, blockBytes, packing }: QuantFormat): Layout {
  let to = 0;
  const moves = packing.map(words => {
    const move: Move = { ...words, to };
    to += words.bytes * words.count * groupRows;
    return move;
  });
  if (to !== blockBytes * groupRows) throw new Error(`${name}: ${to} bytes for ${groupRows} blocks of ${blockBytes}`);
  return { blockSize, blockBytes, moves };
}

/** The format as it lies in memory. */
export const kernelForm = (format: QuantFormat): QuantFormat => format.expanded ?? format;

/** Where field `name` of a block begins in a packed group. */
export function packedAt(format: QuantFormat, name: string): number {
  const from = format.fields[name]?.offset;
  const move = layoutOf(format).moves.find(move => move.from === from);
  if (!move) throw new Error(`${format.name} has no field ${name}`);
  return move.to;
}

export const layouts = Object.fromEntries(
  Object.entries(formats).map(([type, format]) => [type, layoutOf(kernelForm(format))]),
) as Readonly<Record<QuantType, Layout>>;

/** Bytes of a packed matrix. */
export function packedBytes({ blockSize, blockBytes }: Layout, rows: number, columns: number): number {
  return Math.ceil(rows / groupRows) * groupRows * (columns / blockSize) * blockBytes;
}

/**
 * Takes row `row` of a packed matrix back into the file's layout, by halves of words where every field begins at an even byte.
 * @param packed begins at an even byte too
 */
export function unpackRow(
  packed: Uint8Array,
  { blockSize, blockBytes, moves }: Layout,
  columns: number,
  row: number,
  target: Uint8Array,
): void {
  const blocks = columns / blockSize;
  if (blockBytes & 1) return unpackBytes(packed, { blockSize, blockBytes, moves }, blocks, row, target);
  const from16 = new Uint16Array(packed.buffer, packed.byteOffset, packed.length >>> 1);
  const to16 = new Uint16Array(target.buffer, target.byteOffset, target.length >>> 1);
  const group = Math.floor(row / groupRows) * blocks * blockBytes * groupRows;
  const lane = row % groupRows;
  for (const { from, to, bytes, count } of moves) {
    const halves = bytes >>> 1;
    for (let block = 0; block < blocks; block++) {
      let source = (group + block * blockBytes * groupRows + to + lane * bytes) >>> 1;
      let into = (block * blockBytes + from) >>> 1;
      for (let i = 0; i < count; i++, source += groupRows * halves, into += halves) {
        to16[into] = from16[source];
        if (halves === 2) to16[into + 1] = from16[source + 1];
      }
    }
  }
}

/** The same byte by byte. */
function unpackBytes(
  packed: Uint8Array,
  { blockBytes, moves }: Layout,
  blocks: number,
  row: number,
  target: Uint8Array,
): void {
  const group = Math.floor(row / groupRows) * blocks * blockBytes * groupRows;
  const lane = row % groupRows;
  for (const { from, to, bytes, count } of moves) {
    for (let block = 0; block < blocks; block++) {
      let source = group + block * blockBytes * groupRows + to + lane * bytes;
      let into = block * blockBytes + from;
      for (let i = 0; i < count; i++, source += groupRows * bytes, into += bytes)
        for (let k = 0; k < bytes; k++) target[into + k] = packed[source + k] as number;
    }
  }
}
