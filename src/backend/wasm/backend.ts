/** The CPU backend: generated WebAssembly kernels over one shared memory, run by a team of threads. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { RealmError } from '../../errors.ts';
import { type ActivationKind, activationBytes, activationRecord, maxTile } from '../../kernels/activation.ts';
import { maxQueries } from '../../kernels/attention.ts';
import { constantsEnd, writeConstants } from '../../kernels/constants.ts';
import { groupRows, type Layout, layouts, packedBytes, unpackRow } from '../../kernels/layout.ts';
import { compileKernels, kernelOf, type Variant, variants } from '../../kernels/module.ts';
import { formats } from '../../quant/formats.ts';
import type { QuantType } from '../../quant/types.ts';
import {
  type AttentionOptions,
  type Backend,
  type BatchLayout,
  type Buffer,
  type KvCache,
  type KvShape,
  type Matrix,
  type MatrixSource,
  type MemoryStats,
  pageTokens,
  type RopeSpec,
  type RopeTable,
  type Vector,
} from '../backend.ts';
import { checkScales } from '../scales.ts';
import { commandWords, type Machine, maxCommands, type Operation, operations, Program } from './commands.ts';
import { createMachine, type ThreadData } from './thread.ts';

export interface WasmBackendOptions {
  readonly threads?: number;
  /** A variant's name; default REALM_KERNELS, else the first of kernels/module.ts. */
  readonly variant?: string;
}

interface WasmMatrix extends Matrix {
  readonly address: number;
  readonly layout: Layout;
  readonly groupBytes: number;
  readonly activation: ActivationKind;
}
interface WasmVector extends Vector {
  readonly address: number;
}
interface WasmBuffer extends Buffer {
  readonly address: number;
  /** Bytes between rows. */
  readonly stride: number;
}
interface WasmCache extends KvCache {
  readonly address: number;
  /** Bytes of one page of one layer. */
  readonly layerPageBytes: number;
}

const typeNames = Object.keys(layouts) as QuantType[];
const memoryPages = 65536;
const memoryBytes = memoryPages * 65536;
/** Scratch of one thread: scaled queries and scores of an attention call, scales of a block. */
const scratchBytes = 65536;
/** Tables that live for one run: block tables, rotations, embedded rows. */
const arenaBytes = 48 << 20;
/** Rows of weights read at once while loading. */
const stagingBytes = 16 << 20;
/** Row groups of about this many bytes stay in a core's cache while the tiles pass. */
const cacheBytes = 96 << 10;

const align = (value: number, to: number) => Math.ceil(value / to) * to;

/** A backend with a team of `threads` (default: the processors this process may use). */
export async function createWasmBackend(options: WasmBackendOptions = {}): Promise<WasmBackend> {
  const threads = options.threads ?? availableParallelism();
  const variant = chooseVariant(options.variant ?? process.env.REALM_KERNELS);
  const module = compileKernels(variant);
  const memory = newMemory();
  const program = new Program(threads);
  const shared = { module, memory, types: typeNames, maxTile };
  const scratch = (thread: number) => align(constantsEnd, 64) + thread * scratchBytes;
  const workers = await Promise.all(
    Array.from({ length: threads - 1 }, (_, i) =>
      startThread({ ...shared, shared: program.shared, threads, scratch: scratch(i + 1) }),
    ),
  );
  writeConstants(new Uint8Array(memory.buffer));
  const machine = createMachine({ ...shared, scratch: scratch(0) });
  return new WasmBackend(`wasm ${variant.name}, ${threads} threads`, machine, program, workers, scratch(threads));
}

function chooseVariant(name: string | undefined): Variant {
  if (!name) return variants[0];
  const variant = variants.find(v => v.name === name);
  const known = variants.map(v => v.name).join(', ');
  if (!variant) throw new RealmError('kernel_unavailable', `there is no kernel variant ${name}; known: ${known}`);
  return variant;
}

function newMemory(): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: memoryPages, maximum: memoryPages, shared: true });
  } catch (cause) {
    throw new RealmError('out_of_memory', 'no 4 GB of address space for the model; raise the limit on virtual memory', {
      cause,
    });
  }
}

function startThread(data: ThreadData): Promise<Worker> {
  const worker = new Worker(new URL('./thread.ts', import.meta.url), { workerData: { computeThread: data } });
  return new Promise((resolve, reject) => {
    worker.once('message', () => {
      worker.unref();
      resolve(worker);
    });
    worker.once('error', reject);
  });
}

export class WasmBackend implements Backend {
  readonly name: string;
  readonly #machine: Machine;
  readonly #program: Program;
  readonly #workers: readonly Worker[];
  readonly #arenaStart: number;
  readonly #staging: number;
  readonly #view: DataView;
  #commands = 0;
  #arena: number;
  #end: number;
  #quantized: { address: number; bytes: number } = { address: 0, bytes: 0 };
  #weights = 0;
  #cacheBytes = 0;
  #work: number;
  #rotations = new Map<RopeTable, { positions: Int32Array; address: number }>();
  #dead: Error | undefined;
  /** Matrices share the staging area: they load one after the other. */
  #loading: Promise<void> = Promise.resolve();

  constructor(name: string, machine: Machine, program: Program, workers: readonly Worker[], free: number) {
    this.name = name;
    this.#machine = machine;
    this.#program = program;
    this.#workers = workers;
    this.#view = new DataView(machine.bytes.buffer);
    this.#arenaStart = align(free, 64);
    this.#arena = this.#arenaStart;
    this.#staging = this.#arenaStart + arenaBytes;
    this.#end = this.#staging + stagingBytes;
    this.#work = this.#end;
    for (const worker of workers)
      worker.on('error', (error: unknown) => {
        this.#dead = error as Error;
      });
  }

  #allocate(bytes: number, what: string): number {
    const address = align(this.#end, 64);
    if (address + bytes > memoryBytes - 65536) {
      const need = `${what} needs ${bytes} bytes, of 4 GiB ${memoryBytes - address} are left`;
      throw new RealmError('out_of_memory', `${need}; use a smaller context or a smaller model`);
    }
    this.#end = address + bytes;
    return address;
  }

  /** Space for tables of this run. */
  #table(bytes: number): number {
    const address = align(this.#arena, 16);
    this.#arena = address + bytes;
    if (this.#arena > this.#staging)
      throw new RealmError('engine_failed', 'the batch needs larger tables than there is room for');
    return address;
  }

  #words(values: ArrayLike<number>): number {
    const address = this.#table(values.length * 4);
    this.#machine.words.set(values, address / 4);
    return address;
  }

  #record(
    operation: Operation,
    items: number,
    chunk: number,
    integers: readonly number[],
    floats: readonly (readonly [number, number])[] = [],
  ): void {
    if (items === 0) return;
    if (this.#commands === maxCommands) throw new RealmError('engine_failed', 'a step of too many operations');
    const at = this.#commands++ * commandWords;
    const { words, floats: floatWords } = this.#program;
    words[at] = operations.indexOf(operation);
    words[at + 1] = items;
    words[at + 2] = Math.max(1, chunk);
    words.set(integers, at + 3);
    for (const [index, value] of floats) floatWords[at + 3 + index] = value;
  }

  /** Items claimed at once so that every thread gets several turns. */
  #share(items: number): number {
    return Math.ceil(items / (this.#program.threads * 4));
  }

  async matrix(source: MatrixSource): Promise<WasmMatrix> {
    const { name, type, rows, columns } = source;
    const layout = layouts[type];
    const kernel = kernelOf(type);
    if (!layout || !kernel) throw new RealmError('kernel_unavailable', `tensor ${name}: no kernel multiplies ${type}`);
    if (columns % layout.blockSize)
      throw new RealmError(
        'model_invalid',
        `tensor ${name}: ${columns} columns are no multiple of ${layout.blockSize}`,
      );
    const bytes = packedBytes(layout, rows, columns);
    const address = this.#allocate(bytes, `tensor ${name}`);
    this.#weights += bytes;
    const matrix = {
      name,
      type,
      rows,
      columns,
      address,
      layout,
      activation: kernel.activation,
      groupBytes: kernel.groupBytes,
    };
    const loaded = this.#loading.then(() => this.#load(matrix, source));
    this.#loading = loaded.catch(() => {});
    await loaded;
    return matrix;
  }

  async #load(matrix: WasmMatrix, source: MatrixSource): Promise<void> {
    const { name, type, rows, columns, layout, address } = matrix;
    const blocks = columns / layout.blockSize;
    const rowBytes = blocks * layout.blockBytes;
    const groupStride = rowBytes * groupRows;
    const most = Math.floor(stagingBytes / groupStride) * groupRows;
    if (most === 0) throw new RealmError('model_invalid', `tensor ${name}: a row of ${rowBytes} bytes is too long`);
    for (let first = 0; first < rows; first += most) {
      const count = Math.min(most, rows - first);
      const groups = Math.ceil(count / groupRows);
      const target = this.#machine.bytes.subarray(this.#staging, this.#staging + count * rowBytes);
      await source.readRows(first, count, target);
      checkScales(name, type, target);
      this.#machine.bytes.fill(0, this.#staging + count * rowBytes, this.#staging + groups * groupStride);
      const to = address + (first / groupRows) * groupStride;
      const args = [typeNames.indexOf(type), this.#staging, rowBytes, blocks, to, groupStride];
      this.#record('pack', groups, this.#share(groups), args);
      this.run();
    }
  }

  vector(values: Float32Array): WasmVector {
    const bytes = align(values.length, 16) * 4;
    const address = this.#allocate(bytes, 'a vector');
    new Float32Array(this.#machine.bytes.buffer, address, values.length).set(values);
    this.#weights += bytes;
    return { length: values.length, address };
  }

  buffer(rows: number, columns: number): WasmBuffer {
    const stride = align(columns, 16) * 4;
    const address = this.#allocate(rows * stride, 'a work buffer');
    this.#work += rows * stride;
    return { rows, columns, address, stride };
  }

  kvCache(shape: KvShape): WasmCache {
    const layerPageBytes = shape.kvHeads * shape.headDim * pageTokens * 2 * 2;
    if (shape.headDim % 8)
      throw new RealmError('kernel_unavailable', `no attention kernel for heads of ${shape.headDim}`);
    const bytes = layerPageBytes * shape.layers * shape.pages;
    this.#cacheBytes += bytes;
    const address = this.#allocate(bytes, 'the key-value cache');
    return { ...shape, address, layerPageBytes, pageBytes: layerPageBytes * shape.layers };
  }

  embed(out: Buffer, table: Matrix, tokens: Int32Array): void {
    const { layout, address, columns, type, rows } = table as WasmMatrix;
    const packed = this.#machine.bytes.subarray(address, address + packedBytes(layout, rows, columns));
    const bytes = new Uint8Array((columns / layout.blockSize) * layout.blockBytes);
    const at = this.#table(tokens.length * columns * 4);
    tokens.forEach((token, i) => {
      unpackRow(packed, layout, columns, token, bytes);
      const target = new Float32Array(this.#machine.bytes.buffer, at + i * columns * 4, columns);
      formats[type].decode(bytes, target, columns);
    });
    const sources = Array.from(tokens, (_, i) => at + i * columns * 4);
    this.#copy(out as WasmBuffer, sources, columns);
  }

  #copy(out: WasmBuffer, sources: readonly number[], columns: number): void {
    this.#record('copy', sources.length, this.#share(sources.length), [
      out.address,
      out.stride,
      this.#words(sources),
      columns * 4,
    ]);
  }

  matmul(
    out: Buffer,
    matrix: Matrix,
    x: Buffer,
    rows: number,
    options: { bias?: Vector; accumulate?: boolean } = {},
  ): void {
    this.#quantize((matrix as WasmMatrix).activation, x as WasmBuffer, rows);
    this.#product(out as WasmBuffer, matrix as WasmMatrix, rows, options);
  }

  matmuls(products: readonly { out: Buffer; matrix: Matrix; bias?: Vector }[], x: Buffer, rows: number): void {
    let ready: ActivationKind | undefined;
    for (const { out, matrix, bias } of products) {
      const { activation } = matrix as WasmMatrix;
      if (activation !== ready) this.#quantize(activation, x as WasmBuffer, rows);
      ready = activation;
      this.#product(out as WasmBuffer, matrix as WasmMatrix, rows, { bias });
    }
  }

  #quantize(kind: ActivationKind, x: WasmBuffer, rows: number): void {
    const perToken = activationBytes(kind, x.columns);
    const need = perToken * Math.max(rows, 64);
    if (need > this.#quantized.bytes) {
      this.#quantized = { address: this.#allocate(2 * need, 'quantised activations'), bytes: 2 * need };
      this.#work += 2 * need;
    }
    const blocks = x.columns / activationRecord[kind].columns;
    const number = ['q32', 'q256', 'f32'].indexOf(kind);
    this.#record('quantize', rows, this.#share(rows), [
      number,
      x.address,
      x.stride,
      blocks,
      this.#quantized.address,
      perToken,
      rows,
    ]);
  }

  #product(out: WasmBuffer, matrix: WasmMatrix, rows: number, options: { bias?: Vector; accumulate?: boolean }): void {
    const { type, address, layout, columns, groupBytes, activation } = matrix;
    const blocks = columns / layout.blockSize;
    const groups = Math.ceil(matrix.rows / groupRows);
    const groupStride = blocks * groupBytes;
    const chunk = Math.min(this.#share(groups), rows > maxTile ? Math.ceil(cacheBytes / groupStride) : groups);
    this.#record('product', groups, chunk, [
      ...[typeNames.indexOf(type), address, blocks, groupStride, this.#quantized.address],
      ...[activationBytes(activation, columns), rows, out.address, out.stride],
      ...[(options.bias as WasmVector | undefined)?.address ?? 0, options.accumulate ? 1 : 0],
    ]);
  }

  rmsNorm(out: Buffer, x: Buffer, weight: Vector, epsilon: number, rows: number): void {
    if (x.columns !== weight.length && weight.length % 16)
      throw new RealmError(
        'kernel_unavailable',
        `no norm kernel for groups of ${weight.length} columns: multiples of 16 only`,
      );
    const [o, i, w] = [out as WasmBuffer, x as WasmBuffer, weight as WasmVector];
    const args = [o.address, o.stride, i.address, i.stride, w.address, w.length, x.columns / w.length];
    this.#record('rmsNorm', rows, this.#share(rows), args, [[7, epsilon]]);
  }

  layerNorm(out: Buffer, x: Buffer, weight: Vector, bias: Vector, epsilon: number, rows: number): void {
    const [o, i, w] = [out as WasmBuffer, x as WasmBuffer, weight as WasmVector];
    const args = [o.address, o.stride, i.address, i.stride, w.address, w.length, (bias as WasmVector).address];
    this.#record('layerNorm', rows, this.#share(rows), args, [[7, epsilon]]);
  }

  ropeTable(spec: RopeSpec): RopeTable {
    if (spec.dimensions % 8)
      throw new RealmError('kernel_unavailable', `no rotation kernel for ${spec.dimensions} dimensions`);
    return spec;
  }

  rope(x: Buffer, rope: RopeTable, positions: Int32Array, heads: number): void {
    const buffer = x as WasmBuffer;
    const halves = rope.style === 'halves';
    const tableStride = rope.dimensions * (halves ? 4 : 8);
    const fours = halves ? rope.dimensions / 8 : rope.dimensions / 4;
    this.#record('rope', positions.length, this.#share(positions.length), [
      ...[halves ? 1 : 0, buffer.address, buffer.stride, this.#rotation(rope, positions), tableStride],
      ...[fours, heads, rope.headDim * 4],
    ]);
  }

  /** cos and sin for each position, made once a run and table. */
  #rotation(rope: RopeTable, positions: Int32Array): number {
    const known = this.#rotations.get(rope);
    if (known?.positions === positions) return known.address;
    const { dimensions, frequencies, magnitude, style } = rope;
    const half = dimensions / 2;
    const width = style === 'halves' ? dimensions : 2 * dimensions;
    const address = this.#table(positions.length * width * 4);
    const table = new Float32Array(this.#machine.bytes.buffer, address, positions.length * width);
    positions.forEach((position, row) => {
      const at = row * width;
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
    this.#rotations.set(rope, { positions, address });
    return address;
  }

  storeKv(cache: KvCache, layer: number, k: Buffer, v: Buffer, batch: BatchLayout): void {
    const { kvHeads, headDim, layerPageBytes, address, pages } = cache as WasmCache;
    const [keys, values] = [k as WasmBuffer, v as WasmBuffer];
    const places = new Int32Array(2 * batch.tokens);
    for (const { start, count, position, pages: table } of batch.segments)
      for (let i = 0; i < count; i++) {
        const slot = (position + i) % pageTokens;
        const page = table[Math.floor((position + i) / pageTokens)] * layerPageBytes;
        places[2 * (start + i)] = page + 2 * slot;
        places[2 * (start + i) + 1] = page + 2 * headDim * slot;
      }
    this.#record('storeKv', batch.tokens, this.#share(batch.tokens), [
      ...[keys.address, keys.stride, values.address, values.stride, this.#words(places)],
      ...[address + layer * pages * layerPageBytes, kvHeads * headDim * 2 * pageTokens, kvHeads, headDim],
    ]);
  }

  attention(
    out: Buffer,
    q: Buffer,
    cache: KvCache,
    layer: number,
    batch: BatchLayout,
    options: AttentionOptions,
  ): void {
    const { kvHeads, headDim, layerPageBytes, address, pages } = cache as WasmCache;
    const [queries, target] = [q as WasmBuffer, out as WasmBuffer];
    const info = new Int32Array(3 * batch.tokens);
    for (const { start, count, position, pages: table } of batch.segments) {
      const tableAt = this.#words(table);
      for (let i = 0; i < count; i++) {
        const to = position + i + 1;
        info.set([tableAt, options.window ? Math.max(0, to - options.window) : 0, to], 3 * (start + i));
      }
    }
    const items = batch.tokens * kvHeads * Math.ceil(options.heads / kvHeads / maxQueries);
    this.#record(
      'attention',
      items,
      Math.min(16, this.#share(items)),
      [
        ...[
          queries.address,
          queries.stride,
          target.address,
          target.stride,
          headDim,
          this.#words(info),
          options.heads,
          kvHeads,
        ],
        ...[address + layer * pages * layerPageBytes, layerPageBytes, kvHeads * headDim * 2 * pageTokens],
      ],
      [
        [11, options.scale],
        [12, options.softcap ?? 0],
      ],
    );
  }

  gate(out: Buffer, gate: Buffer, up: Buffer, kind: 'silu' | 'gelu', rows: number): void {
    const [o, g, u] = [out as WasmBuffer, gate as WasmBuffer, up as WasmBuffer];
    const args = [kind === 'gelu' ? 1 : 0, o.address, g.address, u.address, o.stride, o.stride / 32];
    this.#record('gate', rows, this.#share(rows), args);
  }

  add(out: Buffer, x: Buffer, rows: number): void {
    const [o, i] = [out as WasmBuffer, x as WasmBuffer];
    this.#record('add', rows, this.#share(rows), [o.address, i.address, o.stride, o.stride / 32]);
  }

  scale(x: Buffer, factor: number, rows: number): void {
    const { address, stride } = x as WasmBuffer;
    this.#record('scale', rows, this.#share(rows), [address, stride, stride / 32], [[3, factor]]);
  }

  softcap(x: Buffer, cap: number, rows: number): void {
    const { address, stride } = x as WasmBuffer;
    const floats = [
      [3, cap],
      [4, Math.fround(1 / Math.fround(cap))],
    ] as const;
    this.#record('softcap', rows, this.#share(rows), [address, stride, stride / 32], floats);
  }

  gather(out: Buffer, x: Buffer, rows: Int32Array): void {
    const { address, stride, columns } = x as WasmBuffer;
    this.#copy(
      out as WasmBuffer,
      Array.from(rows, row => address + row * stride),
      columns,
    );
  }

  run(): void {
    if (this.#dead)
      throw new RealmError('engine_failed', `a compute thread died: ${this.#dead.message}`, { cause: this.#dead });
    const count = this.#commands;
    this.#commands = 0;
    this.#arena = this.#arenaStart;
    this.#rotations.clear();
    if (count === 0) return;
    if (!this.#program.start(count, this.#machine)) throw new RealmError('engine_failed', 'a kernel failed');
  }

  read(buffer: Buffer, row: number): Float32Array {
    const { address, stride, columns } = buffer as WasmBuffer;
    return new Float32Array(this.#view.buffer as ArrayBuffer, address + row * stride, columns);
  }

  write(buffer: Buffer, row: number, values: Float32Array): void {
    this.read(buffer, row).set(values);
  }

  memory(): MemoryStats {
    return { weights: this.#weights, kvCache: this.#cacheBytes, work: this.#work };
  }

  async close(): Promise<void> {
    this.#program.stop();
    await Promise.all(this.#workers.map(worker => worker.terminate()));
  }
}
