/**
 * A step is a flat list of commands in shared memory, the same for every thread. A command has a number of items; threads
 * claim runs of them until none is left, and meet at a barrier before the next command.
 */
import { tilesOf } from '../../kernels/activation.ts';
import { maxQueries } from '../../kernels/attention.ts';
import type { KernelExports } from '../../kernels/module.ts';

/** 32-bit words of a command: operation, items, items claimed at once, then arguments. */
export const commandWords = 24;
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
  'pack',
] as const;
export type Operation = (typeof operations)[number];

/** What a thread executes commands with. `i` and `f` are the command's arguments as integers and floats. */
export interface Machine {
  readonly kernels: KernelExports;
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  /** Weight types by number. */
  readonly types: readonly string[];
  /** This thread's own scratch. */
  readonly scratch: number;
  readonly maxTile: number;
}

type Execute = (m: Machine, i: Int32Array, f: Float32Array, first: number, count: number) => void;

const execute: Record<Operation, Execute> = {
  /** type, w, blocks, groupStride, x, bytesPerToken, rows, y, stride, bias, accumulate. Items: row groups. */
  product(m, i, _, first, count) {
    const [type, w, blocks, groupStride, x, perToken, rows, y, stride, bias, accumulate] = i;
    let row = 0;
    for (const tile of tilesOf(rows, m.maxTile)) {
      const kernel = m.kernels[`${m.types[type]}x${tile}`];
      kernel(
        w + first * groupStride,
        blocks,
        count,
        x + row * perToken,
        y + row * stride + first * 32,
        stride,
        bias && bias + first * 32,
        accumulate,
        m.scratch,
      );
      row += tile;
    }
  },
  /** kind, x, stride, blocks, out, bytesPerToken, rows. Items: rows. */
  quantize(m, i, _, first, count) {
    const [kind, x, stride, blocks, out, perToken, rows] = i;
    const kernel = m.kernels[['quantize_q32', 'quantize_q256', 'quantize_f32'][kind]];
    let start = 0;
    for (const tile of tilesOf(rows, m.maxTile)) {
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
  attention(m, i, f, first, count) {
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
        m.scratch,
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
  /** type, source, rowBytes, blocks, target, groupStride. Items: row groups. */
  pack(m, i, _, first, count) {
    const [type, source, rowBytes, blocks, target, groupStride] = i;
    const kernel = m.kernels[`pack_${m.types[type]}`];
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
const counters = 8;

/** Turns of the loop that a thread waits awake before it sleeps: some tens of microseconds. */
const spins = 4000;

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

  /** Starts `count` commands on every thread and works through them on this one. False when a thread failed. */
  start(count: number, machine: Machine): boolean {
    this.control.fill(0, counters, counters + count);
    this.control[firstPhase] = this.control[phase];
    this.control[commandCount] = count;
    Atomics.add(this.control, generation, 1);
    if (this.threads > 1) Atomics.notify(this.control, generation);
    this.work(machine);
    return Atomics.exchange(this.control, failed, 0) === 0;
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

  /** Works through the commands; a kernel that throws is noted, and the barriers still met. */
  work(machine: Machine): void {
    const count = this.control[commandCount];
    const first = this.control[firstPhase];
    for (let c = 0; c < count; c++) {
      try {
        this.#claim(machine, c);
      } catch {
        Atomics.store(this.control, failed, 1);
      }
      this.#meet((first + c + 1) | 0);
    }
  }

  #claim(machine: Machine, c: number): void {
    const at = c * commandWords;
    const [operation, items, chunk] = [this.words[at], this.words[at + 1], this.words[at + 2]];
    const i = this.words.subarray(at + 3, at + commandWords);
    const f = this.floats.subarray(at + 3, at + commandWords);
    for (;;) {
      const first = Atomics.add(this.control, counters + c, chunk);
      if (first >= items) return;
      table[operation](machine, i, f, first, Math.min(chunk, items - first));
    }
  }

  /** The barrier: phases count up for ever (and wrap), so that a late thread cannot miss one. */
  #meet(next: number): void {
    const { control, threads } = this;
    if (((Atomics.add(control, arrived, 1) + 1) | 0) === Math.imul(next, threads)) {
      Atomics.store(control, phase, next);
      if (Atomics.load(control, sleepers) > 0) Atomics.notify(control, phase);
      return;
    }
    const passed = () => ((Atomics.load(control, phase) - next) | 0) >= 0;
    for (let i = 0; i < spins; i++) if (passed()) return;
    Atomics.add(control, sleepers, 1);
    while (!passed()) Atomics.wait(control, phase, (next - 1) | 0);
    Atomics.sub(control, sleepers, 1);
  }
}
