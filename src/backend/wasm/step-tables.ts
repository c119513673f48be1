/** Tables that live for one run, at the same address in every memory: block tables, rotations, embedded rows. */
import { RealmError } from '../../errors.ts';
import { type BatchLayout, pageTokens, type RopeTable, type Segment } from '../backend.ts';
import { magnitudeAt } from '../reference/rope.ts';
import { align, type Memories } from './memories.ts';

/** Room for them. */
export const tableBytes = 48 << 20;

export class StepTables {
  readonly #memories: Memories;
  readonly #start: number;
  #end: number;
  readonly #rotations = new Map<RopeTable, { positions: Int32Array; address: number }>();
  readonly #places = new Map<number, { batch: BatchLayout; address: number }>();
  readonly #reaches = new Map<number, { batch: BatchLayout; address: number }>();
  #segments: { batch: BatchLayout; address: number } | undefined;
  #rows: { batch: BatchLayout; address: number } | undefined;

  /** `start`: where the room begins. */
  constructor(memories: Memories, start: number) {
    this.#memories = memories;
    this.#start = start;
    this.#end = start;
  }

  /** Forgets all of them. */
  clear(): void {
    this.#end = this.#start;
    this.#rotations.clear();
    this.#reaches.clear();
    this.#places.clear();
    this.#segments = undefined;
    this.#rows = undefined;
  }

  /** Space for a table. */
  reserve(bytes: number): number {
    const address = align(this.#end, 16);
    this.#end = address + bytes;
    if (this.#end > this.#start + tableBytes)
      throw new RealmError('engine_failed', 'the batch needs larger tables than there is room for');
    return address;
  }

  /** A table of these values. */
  words(values: Int32Array | Float32Array): number {
    const address = this.reserve(values.byteLength);
    this.#memories.place(address, values);
    return address;
  }

  /** cos and sin for each position, as the rotation kernels read them; made once a run and rope. */
  rotations(rope: RopeTable, positions: Int32Array): number {
    const known = this.#rotations.get(rope);
    if (known?.positions === positions) return known.address;
    const address = this.words(rotationsOf(rope, positions));
    this.#rotations.set(rope, { positions, address });
    return address;
  }

  /** Per token the offset of its page and its place there; the same for all layers with such pages. */
  places(batch: BatchLayout, pageBytes: number): number {
    const known = this.#places.get(pageBytes);
    if (known?.batch === batch) return known.address;
    const places = new Int32Array(2 * batch.tokens);
    for (const { start, count, position, pages } of batch.segments)
      for (let i = 0; i < count; i++) {
        places[2 * (start + i)] = pages[Math.floor((position + i) / pageTokens)] * pageBytes;
        places[2 * (start + i) + 1] = (position + i) % pageTokens;
      }
    const address = this.words(places);
    this.#places.set(pageBytes, { batch, address });
    return address;
  }

  /** Per token its block table and the positions that it sees; the same for all layers with this window and direction. */
  reaches(batch: BatchLayout, window: number, twoWay = false): number {
    const key = twoWay ? -1 - window : window;
    const known = this.#reaches.get(key);
    if (known?.batch === batch) return known.address;
    const reaches = new Int32Array(3 * batch.tokens);
    for (const { start, count, position, pages } of batch.segments) {
      const table = this.words(pages);
      for (let i = 0; i < count; i++) {
        const own = position + i;
        const before = window ? (twoWay ? window >> 1 : window - 1) : own;
        const to = twoWay ? Math.min(position + count, window ? own + before + 1 : Infinity) : own + 1;
        reaches.set([table, Math.max(0, own - before), to], 3 * (start + i));
      }
    }
    const address = this.words(reaches);
    this.#reaches.set(key, { batch, address });
    return address;
  }

  /** Per segment its first row, how many it has, the slot that its state is in (-1: it counts as zeros), and the one it is put in. */
  segments(batch: BatchLayout): number {
    if (this.#segments?.batch === batch) return this.#segments.address;
    const words = batch.segments.flatMap(segment => [segment.start, segment.count, ...slotsOf(segment)]);
    const address = this.words(Int32Array.from(words));
    this.#segments = { batch, address };
    return address;
  }

  /** Per token its number in its segment, how many follow there, and the slots, as {@link segments} has them. */
  segmentRows(batch: BatchLayout): number {
    if (this.#rows?.batch === batch) return this.#rows.address;
    const words = new Int32Array(4 * batch.tokens);
    for (const segment of batch.segments) {
      const slots = slotsOf(segment);
      for (let i = 0; i < segment.count; i++) words.set([i, segment.count - 1 - i, ...slots], 4 * (segment.start + i));
    }
    const address = this.words(words);
    this.#rows = { batch, address };
    return address;
  }
}

const slotsOf = ({ position, slot, nextSlot }: Segment): [number, number] => [position > 0 ? slot! : -1, nextSlot!];

/** [positions][cos of each pair, sin of each pair] (halves); or cos, cos for each pair, then -sin, sin (adjacent). */
function rotationsOf(rope: RopeTable, positions: Int32Array): Float32Array {
  const { dimensions, frequencies, style } = rope;
  const half = dimensions / 2;
  const width = style === 'halves' ? dimensions : 2 * dimensions;
  const table = new Float32Array(positions.length * width);
  positions.forEach((position, row) => {
    const at = row * width;
    const magnitude = magnitudeAt(rope, position);
    for (let i = 0; i < half; i++) {
      const cos = Math.cos(position * frequencies[i]) * magnitude;
      const sin = Math.sin(position * frequencies[i]) * magnitude;
      if (style === 'halves') {
        table[at + i] = cos;
        table[at + half + i] = sin;
      } else {
        table.fill(cos, at + 2 * i, at + 2 * i + 2);
        table[at + dimensions + 2 * i] = -sin;
        table[at + dimensions + 2 * i + 1] = sin;
      }
    }
  });
  return table;
}
