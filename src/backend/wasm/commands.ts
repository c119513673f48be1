/**
 * A step is a flat list of commands in shared memory, the same for every thread. A command has a number of items; threads
 * claim runs of them until none is left. Then they meet at a barrier, unless the command is linked to the next one.
 */
import { tilesOf } from '../../kernels/activation.ts';
import { maxQueries } from '../../kernels/attention.ts';
import type { GiveWay } from '../backend.ts';
import { hasBadScale } from '../scales.ts';
import { expertOperations } from './experts.ts';
import type { Machine, Station } from './station.ts';

/** 32-bit words of a command: operation, items, items claimed at once, memory, link, two floats, then arguments. */
const commandWords = 24;
const floatsAt = 5;
const argumentsAt = 8;
export const mostCommands = 8192;

/**
 * How a command is linked to the next one: they `meet` in between; or whoever does some items does the `same` items of the
 * next one (row operations: a row depends on nothing but that row); or the two have nothing to do with each other and
 * nobody waits (`free`).
 */
const links = { meet: 0, same: 1, free: 2 } as const;
export type Link = keyof typeof links;

/** A command as it was recorded, for those who count what a step costs. */
export interface Command {
  readonly operation: Operation;
  readonly items: number;
  readonly link: Link;
  /** Its arguments, zeros behind them. */
  readonly integers: Int32Array;
}

/** Does items [first, first + count) of a command in memory `m`; `f` and `g` are its floats, then come its integers. */
type Execute = (
  m: Machine,
  station: Station,
  first: number,
  count: number,
  f: number,
  g: number,
  ...integers: number[]
) => void;

const execute = {
  /** Items: row groups. */
  product(m, station, first, count, _f, _g, type, w, blocks, groupStride, x, perToken, rows, y, stride, bias, add) {
    const weights = w + first * groupStride;
    const column = first * 32;
    let row = 0;
    for (const tile of tilesOf(rows, station.maxTile)) {
      m.products[type][tile](
        weights,
        blocks,
        count,
        x + row * perToken,
        y + row * stride + column,
        stride,
        bias && bias + column,
        add,
        station.scratch,
      );
      row += tile;
    }
  },
  /** The same by panels: `together` groups are unpacked at a time, then all tiles pass over them. Items: row groups. */
  panelProduct(m, station, first, count, _f, _g, ...integers) {
    const [type, w, blocks, groupStride, x, perToken, rows, y, stride, bias, add, together] = integers;
    const { panel, scratch, maxTile } = station;
    for (let group = first; group < first + count; group += together) {
      const groups = Math.min(together, first + count - group);
      m.unpackers[type](w + group * groupStride, blocks, groups, panel);
      const column = group * 32;
      let row = 0;
      for (const tile of tilesOf(rows, maxTile)) {
        const [from, to] = [x + row * perToken, y + row * stride + column];
        m.panels[type][tile](panel, blocks, groups, from, to, stride, bias && bias + column, add, scratch);
        row += tile;
      }
    }
  },
  /** Items: rows. */
  quantize(m, station, first, count, _f, _g, kind, x, stride, blocks, out, perToken, rows) {
    const { quantize_q32, quantize_q256, quantize_f32 } = m.kernels;
    const kernel = kind === 0 ? quantize_q32 : kind === 1 ? quantize_q256 : quantize_f32;
    let start = 0;
    for (const tile of tilesOf(rows, station.maxTile)) {
      const to = Math.min(start + tile, first + count);
      for (let row = Math.max(start, first); row < to; row++)
        kernel(x + row * stride, blocks, out + start * perToken + 4 * (row - start), tile);
      start += tile;
    }
  },
  /** Items: rows. */
  rmsNorm(m, _, first, count, epsilon, _g, out, outStride, x, xStride, weight, columns, groups) {
    for (let row = first; row < first + count; row++)
      for (let group = 0; group < groups; group++) {
        const at = group * columns * 4;
        m.kernels.rms_norm(out + row * outStride + at, x + row * xStride + at, weight, columns, epsilon);
      }
  },
  /** Items: rows. */
  layerNorm(m, _, first, count, epsilon, _g, out, outStride, x, xStride, weight, columns, bias) {
    for (let row = first; row < first + count; row++)
      m.kernels.layer_norm(out + row * outStride, x + row * xStride, weight, bias, columns, epsilon);
  },
  /** Items: rows. */
  rope(m, _, first, count, _f, _g, halves, x, stride, table, tableStride, fours, heads, headBytes) {
    const kernel = halves ? m.kernels.rope_halves : m.kernels.rope_adjacent;
    for (let row = first; row < first + count; row++)
      kernel(x + row * stride, table + row * tableStride, fours, heads, headBytes);
  },
  /** places: per row the byte offset of its page and its place there; type: number of the cache's. Items: rows. */
  storeKv(m, _, first, count, _f, _g, k, kStride, v, vStride, places, base, valuesAt, heads, headDim, headBytes, type) {
    for (let row = first; row < first + count; row++) {
      const at = (places >>> 2) + 2 * row;
      const page = base + m.words[at];
      const slot = m.words[at + 1];
      const [from, to] = [k + row * kStride, v + row * vStride];
      if (type === 0) {
        const value = page + valuesAt + 2 * headDim * slot;
        m.kernels.store_kv(from, to, page + 2 * slot, value, heads, headDim, headBytes);
      } else m.kernels.store_kv_q8(from, to, page, page + valuesAt, slot, heads, headDim, headBytes);
    }
  },
  /** reaches: per row its block table, from, to. Items: rows * kvHeads * tiles of the query heads that share one. */
  attention(m, station, first, count, scale, cap, ...integers) {
    const [q, qStride, out, outStride, headDim, reaches, heads, kvHeads, base, pageBytes, valuesAt] = integers;
    const [headBytes, type] = integers.slice(11);
    const share = heads / kvHeads;
    const tiles = tilesOf(share, maxQueries);
    const perRow = kvHeads * tiles.length;
    for (let item = first; item < first + count; item++) {
      const row = Math.floor(item / perRow);
      const kvHead = Math.floor((item % perRow) / tiles.length);
      const tile = item % tiles.length;
      let query = kvHead * share;
      for (let i = 0; i < tile; i++) query += tiles[i];
      const head = query * headDim * 4;
      const at = (reaches >>> 2) + 3 * row;
      m.attention[type][tiles[tile]](
        q + row * qStride + head,
        out + row * outStride + head,
        headDim,
        m.words[at],
        base + kvHead * headBytes,
        pageBytes,
        valuesAt,
        m.words[at + 1],
        m.words[at + 2],
        scale,
        cap,
        station.scratch,
      );
    }
  },
  /** Items: rows. */
  gate(m, _, first, count, _f, _g, gelu, out, gate, up, stride, eights) {
    const kernel = gelu ? m.kernels.gate_gelu : m.kernels.gate_silu;
    for (let row = first; row < first + count; row++)
      kernel(out + row * stride, gate + row * stride, up + row * stride, eights);
  },
  /** Items: rows. */
  add(m, _, first, count, _f, _g, out, x, stride, eights) {
    for (let row = first; row < first + count; row++) m.kernels.add(out + row * stride, x + row * stride, eights);
  },
  /** Items: rows. */
  scale(m, _, first, count, factor, _g, x, stride, eights) {
    for (let row = first; row < first + count; row++) m.kernels.scale(x + row * stride, eights, factor);
  },
  /** Items: rows. */
  softcap(m, _, first, count, cap, inverse, x, stride, eights) {
    for (let row = first; row < first + count; row++) m.kernels.softcap(x + row * stride, eights, cap, inverse);
  },
  /** sources: addresses, one a row. Items: rows. */
  copy(m, _, first, count, _f, _g, out, outStride, sources, bytes) {
    for (let row = first; row < first + count; row++) {
      const source = m.words[(sources >>> 2) + row] >>> 0;
      m.bytes.copyWithin((out + row * outStride) >>> 0, source, source + bytes);
    }
  },
  /** Rows of memory `from` to the same place in this one. Items: rows. */
  carry(m, { machines }, first, count, _f, _g, address, stride, bytes, from) {
    for (let row = first; row < first + count; row++) {
      const at = (address + row * stride) >>> 0;
      m.bytes.set(machines[from].bytes.subarray(at, at + bytes), at);
    }
  },
  ...expertOperations,
  /** A scale that is not finite throws. Items: row groups. */
  pack(m, { types }, first, count, _f, _g, type, source, rowBytes, blocks, target, groupStride, rows) {
    const from = source + first * 8 * rowBytes;
    const end = source + Math.min(rows, (first + count) * 8) * rowBytes;
    if (hasBadScale(types[type], m.bytes.subarray(from, end))) throw new Error('a scale that is not finite');
    const kernel = m.kernels[`pack_${types[type]}`];
    for (let group = first; group < first + count; group++)
      kernel(source + group * 8 * rowBytes, rowBytes, blocks, target + group * groupStride);
  },
} satisfies Record<string, Execute>;

export type Operation = keyof typeof execute;
const operations = Object.keys(execute) as Operation[];
const numbers = Object.fromEntries(operations.map((name, i) => [name, i])) as Record<Operation, number>;
const table: readonly Execute[] = operations.map(name => execute[name]);

/** Words of the control block. */
const generation = 0;
const commandCount = 1;
const arrived = 2;
const phase = 3;
const sleepers = 4;
const failed = 5;
const firstPhase = 6;
const partCount = 7;
const stopPhase = 8;
const counters = 9;

/** Turns of the loop that a thread waits awake before it sleeps: a tenth of a millisecond. */
const spins = 50_000;

/** What became of a step: `failed`, a kernel threw; `stalled`, a thread never arrived; `gave way`, it was told to. */
export type Outcome = 'done' | 'failed' | 'stalled' | 'gave way';

/** The shared state of a team of threads: the commands, and where everyone stands. */
export class Program {
  readonly control: Int32Array;
  readonly threads: number;
  readonly #words: Int32Array;
  readonly #floats: Float32Array;
  readonly #patienceMs: number;
  #count = 0;
  #done = 0;

  /** `patienceMs`: how long a thread waits for one that does not arrive; no command takes a tenth of the default. */
  constructor(
    threads: number,
    shared = new SharedArrayBuffer(4 * (counters + mostCommands * (1 + commandWords))),
    patienceMs = 20_000,
  ) {
    this.threads = threads;
    this.#patienceMs = patienceMs;
    this.control = new Int32Array(shared, 0, counters + mostCommands);
    this.#words = new Int32Array(shared, 4 * this.control.length);
    this.#floats = new Float32Array(shared, 4 * this.control.length);
  }

  get shared(): SharedArrayBuffer {
    return this.control.buffer as SharedArrayBuffer;
  }

  /** Parts (memories, kernels) that a thread must have before it works. */
  get parts(): number {
    return Atomics.load(this.control, partCount);
  }

  set parts(count: number) {
    Atomics.store(this.control, partCount, count);
  }

  /** Commands of the step that is being written. */
  get length(): number {
    return this.#count;
  }

  /** Commands of the last step that were worked through before it ended. */
  get done(): number {
    return this.#done;
  }

  /** The commands of the last step, until the next one is recorded. */
  commands(): Command[] {
    return Array.from({ length: this.control[commandCount] }, (_, i) => {
      const words = this.#words.slice(i * commandWords, (i + 1) * commandWords);
      const link = (Object.keys(links) as Link[]).find(name => links[name] === words[4])!;
      return { operation: operations[words[0]], items: words[1], link, integers: words.subarray(argumentsAt) };
    });
  }

  /** Appends a command, see {@link Execute}. */
  push(
    operation: Operation,
    memory: number,
    items: number,
    chunk: number,
    f: number,
    g: number,
    integers: number[],
  ): void {
    const at = this.#count++ * commandWords;
    const words = this.#words;
    words[at] = numbers[operation];
    words[at + 1] = items;
    words[at + 2] = chunk;
    words[at + 3] = memory;
    words[at + 4] = links.meet;
    this.#floats[at + floatsAt] = f;
    this.#floats[at + floatsAt + 1] = g;
    for (let i = 0; i < integers.length; i++) words[at + argumentsAt + i] = integers[i];
  }

  /** Links the last command to the next one. */
  link(link: Link): void {
    this.#words[(this.#count - 1) * commandWords + 4] = links[link];
  }

  /** Starts the commands on every thread and works through them on this one; `giveWay` is asked between them whether to stop there. */
  start(station: Station, giveWay?: GiveWay): Outcome {
    const count = this.#count;
    this.#count = 0;
    this.control.fill(0, counters, counters + count);
    this.control[firstPhase] = this.control[phase];
    this.control[commandCount] = count;
    Atomics.add(this.control, generation, 1);
    if (this.threads > 1) Atomics.notify(this.control, generation);
    if (!this.work(station, giveWay)) return 'stalled';
    if (Atomics.exchange(this.control, failed, 0) !== 0) return 'failed';
    return this.#done === count ? 'done' : 'gave way';
  }

  /** Sleeps until the next start; returns its number. A negative generation ends the team. */
  await(seen: number): number {
    for (let i = 0; i < spins; i++) {
      if (Atomics.load(this.control, generation) !== seen) return this.control[generation];
    }
    while (Atomics.load(this.control, generation) === seen) Atomics.wait(this.control, generation, seen);
    return Atomics.load(this.control, generation);
  }

  stop(): void {
    Atomics.store(this.control, generation, -1);
    Atomics.notify(this.control, generation);
  }

  /** Works through the commands; a kernel that throws is noted, and the barriers still met. False: another thread is gone. */
  work(station: Station, giveWay?: GiveWay): boolean {
    const words = this.#words;
    const count = this.control[commandCount];
    let next = this.control[firstPhase];
    for (let first = 0, last = 0; first < count; first = ++last) {
      while (words[last * commandWords + 4] === links.same) last++;
      try {
        this.#claim(station, first, last);
      } catch {
        Atomics.store(this.control, failed, 1);
      }
      if (words[last * commandWords + 4] === links.free) continue;
      next = (next + 1) | 0;
      // Said before anybody passes this barrier: all threads stop at it, or none.
      if (giveWay?.()) Atomics.store(this.control, stopPhase, next);
      if (!this.#meet(next)) return false;
      if (Atomics.load(this.control, stopPhase) === next) {
        this.#done = last + 1;
        return true;
      }
    }
    this.#done = count;
    return true;
  }

  /** Claims items of command `first` until none is left, and does them in that command and those up to `last`. */
  #claim(station: Station, first: number, last: number): void {
    const items = this.#words[first * commandWords + 1];
    const chunk = this.#words[first * commandWords + 2];
    for (;;) {
      const item = Atomics.add(this.control, counters + first, chunk);
      if (item >= items) return;
      const count = Math.min(chunk, items - item);
      for (let command = first; command <= last; command++) this.#run(station, command, item, count);
    }
  }

  #run(station: Station, command: number, item: number, count: number): void {
    const w = this.#words;
    const at = command * commandWords;
    const f = at + floatsAt;
    const i = at + argumentsAt;
    const run = table[w[at]];
    // Spelled out: spreading a typed array costs more than many an operation.
    // biome-ignore format: one line of arguments
    run(station.machines[w[at + 3]], station, item, count, this.#floats[f], this.#floats[f + 1],
      w[i], w[i + 1], w[i + 2], w[i + 3], w[i + 4], w[i + 5], w[i + 6], w[i + 7], w[i + 8], w[i + 9], w[i + 10],
      w[i + 11], w[i + 12], w[i + 13], w[i + 14], w[i + 15]);
  }

  /** The barrier: phases count up for ever (and wrap), so that a late thread cannot miss one. False: somebody is gone. */
  #meet(next: number): boolean {
    const { control, threads } = this;
    if (((Atomics.add(control, arrived, 1) + 1) | 0) === Math.imul(next, threads)) {
      Atomics.store(control, phase, next);
      if (Atomics.load(control, sleepers) > 0) Atomics.notify(control, phase);
      return true;
    }
    for (let i = 0; i < spins; i++) {
      if (((Atomics.load(control, phase) - next) | 0) >= 0) return true;
    }
    return this.#sleep(next);
  }

  #sleep(next: number): boolean {
    const { control } = this;
    const passed = () => ((Atomics.load(control, phase) - next) | 0) >= 0;
    Atomics.add(control, sleepers, 1);
    let here = true;
    while (here && !passed()) here = Atomics.wait(control, phase, (next - 1) | 0, this.#patienceMs) !== 'timed-out';
    Atomics.sub(control, sleepers, 1);
    return here || passed();
  }
}
