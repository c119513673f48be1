/**
 * A step is a flat list of commands in shared memory, the same for every thread. A command has a number of items; threads
 * claim runs of them until none is left, and meet at a barrier before the next command.
 */
import { tilesOf } from '../../kernels/activation.ts';
import { maxQueries } from '../../kernels/attention.ts';
import { hasBadScale } from '../scales.ts';
import type { Machine, Station } from './station.ts';

/** 32-bit words of a command: operation, items, items claimed at once, memory, then arguments. */
export const commandWords = 24;
/** The first of the arguments. */
export const argumentsAt = 4;
export const maxCommands = 8192;

export const operations = [
  'product',
  'quantize',
  'rmsNorm',
  'layerNorm',
  'rope',
  'storeKv',
  'attention',
  'gate',
  'add',
  'scale',
  'softcap',
  'copy',
  'carry',
  'pack',
] as const;
export type Operation = (typeof operations)[number];

/** `i` and `f` are the command's arguments as integers and floats; `m` is the memory it works in. */
export type Execute = (
  m: Machine,
  i: Int32Array,
  f: Float32Array,
  first: number,
  count: number,
  station: Station,
) => void;

const execute: Record<Operation, Execute> = {
  /** type, w, blocks, groupStride, x, bytesPerToken, rows, y, stride, bias, accumulate. Items: row groups. */
  product(m, i, _, first, count, { maxTile, scratch }) {
    const [type, w, blocks, groupStride, x, perToken, rows, y, stride, bias, accumulate] = i;
    let row = 0;
    for (const tile of tilesOf(rows, maxTile)) {
      m.products[type][tile](
        w + first * groupStride,
        blocks,
        count,
        x + row * perToken,
        y + row * stride + first * 32,
        stride,
        bias && bias + first * 32,
        accumulate,
        scratch,
      );
      row += tile;
    }
  },
  /** kind, x, stride, blocks, out, bytesPerToken, rows. Items: rows. */
  quantize(m, i, _, first, count, { maxTile }) {
    const [kind, x, stride, blocks, out, perToken, rows] = i;
    const kernel = m.kernels[['quantize_q32', 'quantize_q256', 'quantize_f32'][kind]];
    let start = 0;
    for (const tile of tilesOf(rows, maxTile)) {
      for (let t = 0; t < tile; t++) {
        const row = start + t;
        if (row >= first && row < first + count) kernel(x + row * stride, blocks, out + start * perToken + 4 * t, tile);
      }
      start += tile;
    }
  },
  /** out, outStride, x, xStride, weight, columns, groups, epsilon. Items: rows. */
  rmsNorm(m, i, f, first, count) {
    const [out, outStride, x, xStride, weight, columns, groups] = i;
    for (let row = first; row < first + count; row++)
      for (let g = 0; g < groups; g++) {
        const at = g * columns * 4;
        m.kernels.rms_norm(out + row * outStride + at, x + row * xStride + at, weight, columns, f[7]);
      }
  },
  /** out, outStride, x, xStride, weight, columns, bias, epsilon. Items: rows. */
  layerNorm(m, i, f, first, count) {
    const [out, outStride, x, xStride, weight, columns, bias] = i;
    for (let row = first; row < first + count; row++)
      m.kernels.layer_norm(out + row * outStride, x + row * xStride, weight, bias, columns, f[7]);
  },
  /** halves?, x, stride, table, tableStride, fours, heads, headBytes. Items: rows. */
  rope(m, i, _, first, count) {
    const [halves, x, stride, table, tableStride, fours, heads, headBytes] = i;
    const kernel = halves ? m.kernels.rope_halves : m.kernels.rope_adjacent;
    for (let row = first; row < first + count; row++)
      kernel(x + row * stride, table + row * tableStride, fours, heads, headBytes);
  },
  /** k, kStride, v, vStride, places, base, valuesAt, heads, headDim. places: per row byte offsets of keys and values. Items: rows. */
  storeKv(m, i, _, first, count) {
    const [k, kStride, v, vStride, places, base, valuesAt, heads, headDim] = i;
    for (let row = first; row < first + count; row++) {
      const at = (places >>> 2) + 2 * row;
      const [key, value] = [base + m.words[at], base + valuesAt + m.words[at + 1]];
      m.kernels.store_kv(k + row * kStride, v + row * vStride, key, value, heads, headDim, headDim * 64);
    }
  },
  /**
   * q, qStride, out, outStride, headDim, rowInfo, heads, kvHeads, base, pageBytes, valuesAt, queries, tilesPerHead, scale,
   * cap. rowInfo: per row block table, from, to. Items: rows * kvHeads * tilesPerHead.
   */
  attention(m, i, f, first, count, { scratch }) {
    const [q, qStride, out, outStride, headDim, info, heads, kvHeads, base, pageBytes, valuesAt] = i;
    const share = heads / kvHeads;
    const tiles = tilesOf(share, maxQueries);
    for (let item = first; item < first + count; item++) {
      const tile = item % tiles.length;
      const kvHead = Math.floor(item / tiles.length) % kvHeads;
      const row = Math.floor(item / tiles.length / kvHeads);
      const start = tiles.slice(0, tile).reduce((sum, n) => sum + n, 0);
      const head = (kvHead * share + start) * headDim * 4;
      const at = (info >>> 2) + 3 * row;
      m.kernels[`attention_x${tiles[tile]}`](
        q + row * qStride + head,
        out + row * outStride + head,
        headDim,
        m.words[at],
        base + kvHead * headDim * 64,
        pageBytes,
        valuesAt,
        m.words[at + 1],
        m.words[at + 2],
        f[11],
        f[12],
        scratch,
      );
    }
  },
  /** gelu?, out, gate, up, stride, eights. Items: rows. */
  gate(m, i, _, first, count) {
    const [gelu, out, gate, up, stride, eights] = i;
    const kernel = gelu ? m.kernels.gate_gelu : m.kernels.gate_silu;
    for (let row = first; row < first + count; row++)
      kernel(out + row * stride, gate + row * stride, up + row * stride, eights);
  },
  /** out, x, stride, eights. Items: rows. */
  add(m, i, _, first, count) {
    const [out, x, stride, eights] = i;
    for (let row = first; row < first + count; row++) m.kernels.add(out + row * stride, x + row * stride, eights);
  },
  /** x, stride, eights, factor. Items: rows. */
  scale(m, i, f, first, count) {
    const [x, stride, eights] = i;
    for (let row = first; row < first + count; row++) m.kernels.scale(x + row * stride, eights, f[3]);
  },
  /** x, stride, eights, cap, inverse. Items: rows. */
  softcap(m, i, f, first, count) {
    const [x, stride, eights] = i;
    for (let row = first; row < first + count; row++) m.kernels.softcap(x + row * stride, eights, f[3], f[4]);
  },
  /** out, outStride, sources (addresses, one a row), bytes. Items: rows. */
  copy(m, i, _, first, count) {
    const [out, outStride, sources, bytes] = i;
    for (let row = first; row < first + count; row++) {
      const source = m.words[(sources >>> 2) + row] >>> 0;
      m.bytes.copyWithin((out + row * outStride) >>> 0, source, source + bytes);
    }
  },
  /** address, stride, bytes, from: rows of another memory to the same place in this one. Items: rows. */
  carry(m, i, _, first, count, { machines }) {
    const [address, stride, bytes, from] = i;
    for (let row = first; row < first + count; row++) {
      const at = (address + row * stride) >>> 0;
      m.bytes.set(machines[from].bytes.subarray(at, at + bytes), at);
    }
  },
  /** type, source, rowBytes, blocks, target, groupStride, rows. A scale that is not finite throws. Items: row groups. */
  pack(m, i, _, first, count, { types }) {
    const [type, source, rowBytes, blocks, target, groupStride, rows] = i;
    const from = source + first * 8 * rowBytes;
    const end = source + Math.min(rows, (first + count) * 8) * rowBytes;
    if (hasBadScale(types[type], m.bytes.subarray(from, end))) throw new Error('a scale that is not finite');
    const kernel = m.kernels[`pack_${types[type]}`];
    for (let g = first; g < first + count; g++)
      kernel(source + g * 8 * rowBytes, rowBytes, blocks, target + g * groupStride);
  },
};

const table = operations.map(name => execute[name]);

/** Words of the control block. */
const generation = 0;
const commandCount = 1;
const arrived = 2;
const phase = 3;
const sleepers = 4;
const failed = 5;
const firstPhase = 6;
const partCount = 7;
const counters = 8;

/** Turns of the loop that a thread waits awake before it sleeps: some tens of microseconds. */
const spins = 4000;

/** How long a thread waits for one that does not arrive, ms: no command takes a tenth of that. */
const patienceMs = 20_000;

/** What became of a step: `failed`, a kernel threw; `stalled`, a thread never arrived. */
export type Outcome = 'done' | 'failed' | 'stalled';

/** The shared state of a team of threads: the commands, and where everyone stands. */
export class Program {
  readonly control: Int32Array;
  readonly words: Int32Array;
  readonly floats: Float32Array;
  readonly threads: number;

  constructor(threads: number, shared = new SharedArrayBuffer(4 * (counters + maxCommands * (1 + commandWords)))) {
    this.threads = threads;
    this.control = new Int32Array(shared, 0, counters + maxCommands);
    this.words = new Int32Array(shared, 4 * this.control.length);
    this.floats = new Float32Array(shared, 4 * this.control.length);
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

  /** Starts `count` commands on every thread and works through them on this one. */
  start(count: number, station: Station): Outcome {
    this.control.fill(0, counters, counters + count);
    this.control[firstPhase] = this.control[phase];
    this.control[commandCount] = count;
    Atomics.add(this.control, generation, 1);
    if (this.threads > 1) Atomics.notify(this.control, generation);
    if (!this.work(station)) return 'stalled';
    return Atomics.exchange(this.control, failed, 0) === 0 ? 'done' : 'failed';
  }

  /** Sleeps until the next start; returns its number. A negative generation ends the team. */
  await(seen: number): number {
    for (let i = 0; i < spins; i++)
      if (Atomics.load(this.control, generation) !== seen) return this.control[generation];
    while (Atomics.load(this.control, generation) === seen) Atomics.wait(this.control, generation, seen);
    return Atomics.load(this.control, generation);
  }

  stop(): void {
    Atomics.store(this.control, generation, -1);
    Atomics.notify(this.control, generation);
  }

  /** Works through the commands; a kernel that throws is noted, and the barriers still met. False: another thread is gone. */
  work(station: Station): boolean {
    const count = this.control[commandCount];
    const first = this.control[firstPhase];
    for (let c = 0; c < count; c++) {
      try {
        this.#claim(station, c);
      } catch {
        Atomics.store(this.control, failed, 1);
      }
      if (!this.#meet((first + c + 1) | 0)) return false;
    }
    return true;
  }

  #claim(station: Station, c: number): void {
    const at = c * commandWords;
    const { words } = this;
    const items = words[at + 1];
    const chunk = words[at + 2];
    const i = words.subarray(at + argumentsAt, at + commandWords);
    const f = this.floats.subarray(at + argumentsAt, at + commandWords);
    const run = table[words[at]];
    const machine = station.machines[words[at + 3]];
    for (;;) {
      const first = Atomics.add(this.control, counters + c, chunk);
      if (first >= items) return;
      run(machine, i, f, first, Math.min(chunk, items - first), station);
    }
  }

  /** The barrier: phases count up for ever (and wrap), so that a late thread cannot miss one. False: somebody is gone. */
  #meet(next: number): boolean {
    const { control, threads } = this;
    if (((Atomics.add(control, arrived, 1) + 1) | 0) === Math.imul(next, threads)) {
      Atomics.store(control, phase, next);
      if (Atomics.load(control, sleepers) > 0) Atomics.notify(control, phase);
      return true;
    }
    const passed = () => ((Atomics.load(control, phase) - next) | 0) >= 0;
    for (let i = 0; i < spins; i++) if (passed()) return true;
    Atomics.add(control, sleepers, 1);
    let here = true;
    while (here && !passed()) here = Atomics.wait(control, phase, (next - 1) | 0, patienceMs) !== 'timed-out';
    Atomics.sub(control, sleepers, 1);
    return here || passed();
  }
}
