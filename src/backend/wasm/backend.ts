/** The CPU backend: generated WebAssembly kernels over shared memories, run by a team of threads. */
import { availableParallelism } from 'node:os';
import { RealmError } from '../../errors.ts';
import { type ActivationKind, activationBytes, activationRecord, maxTile } from '../../kernels/activation.ts';
import { cacheTypes, headBytes, maxQueries } from '../../kernels/attention.ts';
import { groupRows, layouts, packedBytes, unpackRow } from '../../kernels/layout.ts';
import { type KernelPart, kernelOf, panelBytes, variants } from '../../kernels/module.ts';
import { panelGroups, panelRows } from '../../kernels/panel.ts';
import { formats } from '../../quant/formats.ts';
import type { QuantType } from '../../quant/types.ts';
import {
  type AttentionOptions,
  type Backend,
  type BatchLayout,
  type Buffer,
  type GiveWay,
  type KvCache,
  type KvShape,
  type Matrix,
  type MatrixSource,
  type MemoryStats,
  pageTokens,
  type RopeSpec,
  type RopeTable,
  type Routing,
  type Vector,
} from '../backend.ts';
import { type Command, mostCommands, type Operation } from './commands.ts';
import { routingParts } from './experts.ts';
import type { WasmBuffer, WasmCache, WasmMatrix, WasmRouting, WasmVector } from './handles.ts';
import { Loader, stagingBytes } from './loader.ts';
import { align, Memories, mostPages } from './memories.ts';
import { type Choice, everywhere, variantsIn } from './choice.ts';
import { type Bench, chooseKernels, type Kernels, kernelsOf, variantNamed } from './selection.ts';
import { scratchBytes } from './station.ts';
import { Team } from './team.ts';

export interface WasmBackendOptions {
  readonly threads?: number;
  /** A variant's name; default REALM_KERNELS, else for each size the fastest of those that pass the self-test. */
  readonly variant?: string;
  /** Size of one memory, in units of 64 KiB. Default 4 GiB; a larger model takes several. */
  readonly memoryPages?: number;
}

const activationKinds: readonly ActivationKind[] = ['q32', 'q256', 'f32'];
const typeNames = Object.keys(layouts) as QuantType[];
/** Tables that live for one run: block tables, rotations, embedded rows. */
const arenaBytes = 48 << 20;
/** Row groups of about this many bytes stay in a core's cache while the tiles pass. */
const cacheBytes = 256 << 10;
/** Where the threads' scratch begins: behind the kernels' constants. */
const scratchStart = 4096;

/** A backend with a team of `threads` (default: the processors this process may use). */
export async function createWasmBackend(options: WasmBackendOptions = {}): Promise<WasmBackend> {
  const threads = options.threads ?? availableParallelism();
  const name = options.variant ?? process.env.REALM_KERNELS;
  const forced = name ? variantNamed(name) : undefined;
  const team = await Team.start(threads, thread => scratchStart + thread * scratchBytes, typeNames, maxTile);
  try {
    const backend = new WasmBackend(team, part => chooseKernels(part, createBench, forced), options.memoryPages);
    await backend.use('common');
    return backend;
  } catch (error) {
    await team.close();
    throw error;
  }
}

/** A team with kernels that nothing has checked: what the self-test works with. */
export async function createBench(threads: number): Promise<Bench> {
  const team = await Team.start(threads, thread => scratchStart + thread * scratchBytes, typeNames, maxTile);
  const bench = new WasmBackend(team, async part => kernelsOf(part, everywhere(part, variants[0].name)));
  await bench.use('common');
  return bench;
}

const areWhole = (...buffers: readonly Buffer[]): boolean =>
  buffers.every(buffer => (buffer as WasmBuffer).address === (buffer as WasmBuffer).whole.address);

export class WasmBackend implements Backend {
  readonly #team: Team;
  readonly #memories: Memories;
  readonly #loader: Loader;
  readonly #choose: (part: KernelPart) => Promise<Kernels>;
  readonly #kernels = new Map<KernelPart, Promise<Kernels>>();
  readonly #variants = new Map<KernelPart, Choice>();
  readonly #arenaStart: number;
  readonly #arenaEnd: number;
  /** The last command, if it was a row operation: its memory and rows. */
  #rows: { readonly memory: number; readonly rows: number } | undefined;
  #arena: number;
  #quantized: { address: number; bytes: number } = { address: 0, bytes: 0 };
  #weights = 0;
  #cacheBytes = 0;
  #work: number;
  readonly #rotations = new Map<RopeTable, { positions: Int32Array; address: number }>();
  #places: { batch: BatchLayout; pageBytes: number; address: number } | undefined;
  readonly #reaches = new Map<number, { batch: BatchLayout; address: number }>();

  constructor(team: Team, choose: (part: KernelPart) => Promise<Kernels>, pages = mostPages) {
    this.#team = team;
    this.#choose = choose;
    this.#arenaStart = align(scratchStart + team.threads * scratchBytes, 64);
    this.#arena = this.#arenaStart;
    this.#arenaEnd = this.#arenaStart + arenaBytes;
    this.#work = this.#arenaEnd + stagingBytes;
    this.#memories = new Memories(this.#work, pages, memory => team.add({ memory }));
    this.#loader = new Loader(this.#arenaEnd, this.#memories.bytes(0), (...command) => this.#record(...command));
  }

  get name(): string {
    const names = new Set([...this.#variants.values()].flatMap(variantsIn));
    return `wasm ${[...names].join(' + ')}, ${this.#team.threads} threads`;
  }

  /** What was chosen for each part in use. */
  get variants(): ReadonlyMap<KernelPart, Choice> {
    return this.#variants;
  }

  /** Memories in use: more than one for a model of more than 4 GiB. */
  get memories(): number {
    return this.#memories.list.length;
  }

  /** What the last run() worked through, to be counted. */
  commands(): Command[] {
    return this.#team.program.commands();
  }

  /** Makes a part's kernels ready. */
  async use(part: KernelPart): Promise<void> {
    const known = this.#kernels.get(part);
    const kernels = known ?? this.#choose(part);
    this.#kernels.set(part, kernels);
    const ready = await kernels;
    if (!this.#variants.has(part)) this.install(part, ready);
  }

  /** Gives every thread these kernels, in place of those it had for the part. */
  install(part: KernelPart, kernels: Kernels): void {
    this.#variants.set(part, kernels.choice);
    this.#kernels.set(part, Promise.resolve(kernels));
    for (const module of kernels.modules) this.#team.add({ kernels: module });
  }

  /** Space for tables of this run, in every memory. */
  #table(bytes: number): number {
    const address = align(this.#arena, 16);
    this.#arena = address + bytes;
    if (this.#arena > this.#arenaEnd)
      throw new RealmError('engine_failed', 'the batch needs larger tables than there is room for');
    return address;
  }

  #words(values: Int32Array): number {
    const address = this.#table(values.byteLength);
    this.#place(address, values);
    return address;
  }

  /** Writes to the same address of every memory. */
  #place(address: number, values: Int32Array | Float32Array): void {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    this.#memories.list.forEach((_, memory) => void this.#memories.bytes(memory).set(bytes, address));
  }

  #record(memory: number, operation: Operation, items: number, chunk: number, integers: number[], f = 0, g = 0): void {
    if (items === 0) return;
    const { program } = this.#team;
    if (program.length === 0) this.#loader.flush();
    program.push(operation, memory, items, Math.max(1, chunk), f, g, integers);
    this.#rows = undefined;
    // A step of more operations (many adapters) runs in pieces.
    if (program.length === mostCommands) this.#execute();
  }

  /**
   * Records an operation in which row i of what it writes depends on nothing but rows i. Such operations follow each
   * other on the thread that began with a row; `whole` says that they all count rows from the buffers' first.
   */
  #recordRows(
    memory: number,
    operation: Operation,
    rows: number,
    whole: boolean,
    integers: number[],
    f = 0,
    g = 0,
  ): void {
    const before = this.#rows;
    if (whole && before?.memory === memory && before.rows === rows) this.#team.program.link('same');
    this.#record(memory, operation, rows, this.#share(rows), integers, f, g);
    this.#rows = whole && this.#team.program.length > 0 ? { memory, rows } : undefined;
  }

  /** Items claimed at once so that every thread gets several turns. */
  #share(items: number): number {
    return Math.ceil(items / (this.#team.threads * 4));
  }

  /** Sees to it that memory `memory` holds rows of `buffer` as they were last written. */
  #bring(memory: number, buffer: Buffer, rows: number): void {
    const { whole, address, stride } = buffer as WasmBuffer;
    if (whole.valid & (1 << memory)) return;
    const from = 31 - Math.clz32(whole.valid);
    const partial = rows < whole.rows && address === whole.address ? rows : whole.rows;
    const args = [whole.address, stride, stride, from];
    this.#record(memory, 'carry', partial, this.#share(partial), args);
    whole.valid |= 1 << memory;
  }

  /** Says that `buffer` is written in `memory`; what a write does not cover, or adds to, is brought before. */
  #writes(memory: number, buffer: Buffer, rows: number, keeps = false): void {
    const { whole, address } = buffer as WasmBuffer;
    const view = address !== whole.address || buffer.rows !== whole.rows;
    if (keeps || view) this.#bring(memory, buffer, view ? whole.rows : rows);
    whole.valid = 1 << memory;
  }

  /** A memory that holds `buffer`. */
  #home(buffer: Buffer): number {
    return 31 - Math.clz32((buffer as WasmBuffer).whole.valid);
  }

  async matrix(source: MatrixSource): Promise<WasmMatrix> {
    const { name, type, rows, columns } = source;
    const layout = layouts[type];
    const kernel = kernelOf(type);
    if (!layout || !kernel) throw new RealmError('kernel_unavailable', `tensor ${name}: no kernel multiplies ${type}`);
    if (columns % layout.blockSize) {
      const message = `tensor ${name}: ${columns} columns are no multiple of ${layout.blockSize}`;
      throw new RealmError('model_invalid', message);
    }
    await this.use(type);
    const block = this.#memories.own(packedBytes(layout, rows, columns), `tensor ${name}`);
    this.#weights += block.bytes;
    const { activation, groupBytes } = kernel;
    const blocks = columns / layout.blockSize;
    const matrix: WasmMatrix = {
      ...{ name, type, rows, columns, block, layout, activation, blocks },
      kind: typeNames.indexOf(type),
      groups: Math.ceil(rows / groupRows),
      groupStride: blocks * groupBytes,
      perToken: activationBytes(activation, columns),
    };
    try {
      await this.#loader.load(matrix, source, () => this.#execute());
    } catch (error) {
      this.free(matrix);
      throw error;
    }
    return matrix;
  }

  async loaded(): Promise<void> {
    await this.#loader.settle();
  }

  free(matrix: Matrix): void {
    const { block } = matrix as WasmMatrix;
    this.#memories.free(block);
    this.#weights -= block.bytes;
  }

  vector(values: Float32Array): WasmVector {
    const bytes = align(values.length, 16) * 4;
    const address = this.#memories.shared(bytes, 'a vector');
    this.#place(address, values);
    this.#weights += bytes;
    return { length: values.length, address };
  }

  buffer(rows: number, columns: number): WasmBuffer {
    const stride = align(columns, 16) * 4;
    const address = this.#memories.shared(rows * stride, 'a work buffer');
    this.#work += rows * stride;
    return { rows, columns, address, stride, whole: { address, rows, valid: 1 } };
  }

  view(buffer: Buffer, first: number, count: number): WasmBuffer {
    const { address, stride, columns, rows, whole } = buffer as WasmBuffer;
    if (!(first >= 0 && count >= 0 && first + count <= rows)) {
      throw new RealmError('internal_error', `rows ${first} to ${first + count} of a buffer of ${rows}`);
    }
    return { rows: count, columns, stride, address: address + first * stride, whole };
  }

  kvCache(shape: KvShape): WasmCache {
    const { type, headDim, kvHeads } = shape;
    if (headDim % (type === 'F16' ? 8 : 32))
      throw new RealmError('kernel_unavailable', `no attention kernel for heads of ${headDim} in a ${type} cache`);
    const perHead = headBytes(type, headDim);
    const layerPageBytes = 2 * kvHeads * perHead;
    const bytes = layerPageBytes * shape.pages;
    const blocks = Array.from({ length: shape.layers }, () => this.#memories.own(bytes, 'the key-value cache'));
    this.#cacheBytes += bytes * shape.layers;
    return { ...shape, blocks, layerPageBytes, headBytes: perHead, pageBytes: layerPageBytes * shape.layers };
  }

  readPage(cache: KvCache, page: number, target: Uint8Array): void {
    this.#eachLayer(cache, page, (layer, at) => void target.set(layer, at));
  }

  writePage(cache: KvCache, page: number, source: Uint8Array): void {
    this.#eachLayer(cache, page, (layer, at) => void layer.set(source.subarray(at, at + layer.length)));
  }

  #eachLayer(cache: KvCache, page: number, visit: (bytes: Uint8Array, at: number) => void): void {
    const { blocks, layerPageBytes } = cache as WasmCache;
    blocks.forEach(({ memory, address }, layer) => {
      const start = address + page * layerPageBytes;
      visit(this.#memories.bytes(memory).subarray(start, start + layerPageBytes), layer * layerPageBytes);
    });
  }

  embed(out: Buffer, table: Matrix, tokens: Int32Array): void {
    const { layout, block, columns, type, rows } = table as WasmMatrix;
    if (this.#team.program.length === 0) this.#loader.flush();
    const memory = this.#memories.bytes(block.memory);
    const packed = memory.subarray(block.address, block.address + packedBytes(layout, rows, columns));
    const bytes = new Uint8Array((columns / layout.blockSize) * layout.blockBytes);
    const at = this.#table(tokens.length * columns * 4);
    tokens.forEach((token, i) => {
      unpackRow(packed, layout, columns, token, bytes);
      const target = new Float32Array(memory.buffer, at + i * columns * 4, columns);
      formats[type].decode(bytes, target, columns);
    });
    this.#copy(
      block.memory,
      out,
      Int32Array.from(tokens, (_, i) => at + i * columns * 4),
      columns,
    );
  }

  #copy(memory: number, out: Buffer, sources: Int32Array, columns: number): void {
    const { address, stride } = out as WasmBuffer;
    this.#writes(memory, out, sources.length);
    const args = [address, stride, this.#words(sources), columns * 4];
    this.#record(memory, 'copy', sources.length, this.#share(sources.length), args);
  }

  matmul(
    out: Buffer,
    matrix: Matrix,
    x: Buffer,
    rows: number,
    options: { bias?: Vector; accumulate?: boolean } = {},
  ): void {
    const { activation, block } = matrix as WasmMatrix;
    this.#quantize(block.memory, activation, x as WasmBuffer, rows);
    this.#product(out as WasmBuffer, matrix as WasmMatrix, rows, options);
  }

  matmuls(products: readonly { out: Buffer; matrix: Matrix; bias?: Vector }[], x: Buffer, rows: number): void {
    let ready = '';
    for (const { out, matrix, bias } of products) {
      const { activation, block } = matrix as WasmMatrix;
      const needed = `${activation} in ${block.memory}`;
      if (needed !== ready) this.#quantize(block.memory, activation, x as WasmBuffer, rows);
      else if (this.#team.program.length > 0) this.#team.program.link('free');
      ready = needed;
      this.#product(out as WasmBuffer, matrix as WasmMatrix, rows, { bias });
    }
  }

  #quantize(memory: number, kind: ActivationKind, x: WasmBuffer, rows: number): void {
    const perToken = this.#reserve(kind, x.columns, rows);
    this.#bring(memory, x, rows);
    const blocks = x.columns / activationRecord[kind].columns;
    const number = activationKinds.indexOf(kind);
    const args = [number, x.address, x.stride, blocks, this.#quantized.address, perToken, rows];
    this.#recordRows(memory, 'quantize', rows, areWhole(x), args);
  }

  /** Sees to room for the quantised rows; returns the bytes of one. */
  #reserve(kind: ActivationKind, columns: number, rows: number): number {
    const perToken = activationBytes(kind, columns);
    const need = perToken * Math.max(rows, 64);
    if (need > this.#quantized.bytes) {
      const address = this.#memories.shared(2 * need, 'quantised activations');
      this.#quantized = { address, bytes: 2 * need };
      this.#work += 2 * need;
    }
    return perToken;
  }

  #product(out: WasmBuffer, matrix: WasmMatrix, rows: number, options: { bias?: Vector; accumulate?: boolean }): void {
    const { kind, block, blocks, groups, groupStride, perToken } = matrix;
    const bias = (options.bias as WasmVector | undefined)?.address ?? 0;
    const add = options.accumulate ? 1 : 0;
    this.#writes(block.memory, out, rows, options.accumulate);
    // biome-ignore format: as `product` takes them
    const args = [kind, block.address, blocks, groupStride, this.#quantized.address, perToken, rows, out.address,
      out.stride, bias, add];
    const share = this.#share(groups);
    const panelStride = blocks * panelBytes(typeNames[kind]);
    const together = rows >= panelRows && panelStride ? panelGroups(panelStride) : 0;
    if (together) {
      const chunk = Math.max(1, Math.floor(share / together)) * together;
      this.#record(block.memory, 'panelProduct', groups, chunk, [...args, together]);
    } else {
      const chunk = Math.min(share, rows > maxTile ? Math.ceil(cacheBytes / groupStride) : groups);
      this.#record(block.memory, 'product', groups, chunk, args);
    }
  }

  rmsNorm(out: Buffer, x: Buffer, weight: Vector, epsilon: number, rows: number): void {
    if (x.columns !== weight.length && weight.length % 16)
      throw new RealmError(
        'kernel_unavailable',
        `no norm kernel for groups of ${weight.length} columns: multiples of 16 only`,
      );
    const [o, i, w] = [out as WasmBuffer, x as WasmBuffer, weight as WasmVector];
    const memory = this.#through(out, x, rows);
    const args = [o.address, o.stride, i.address, i.stride, w.address, w.length, x.columns / w.length];
    this.#recordRows(memory, 'rmsNorm', rows, areWhole(o, i), args, epsilon);
  }

  layerNorm(out: Buffer, x: Buffer, weight: Vector, bias: Vector, epsilon: number, rows: number): void {
    const [o, i, w] = [out as WasmBuffer, x as WasmBuffer, weight as WasmVector];
    const memory = this.#through(out, x, rows);
    const args = [o.address, o.stride, i.address, i.stride, w.address, w.length, (bias as WasmVector).address];
    this.#recordRows(memory, 'layerNorm', rows, areWhole(o, i), args, epsilon);
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
    const memory = this.#through(x, x, positions.length);
    const turns = this.#rotation(rope, positions);
    const args = [halves ? 1 : 0, buffer.address, buffer.stride, turns, tableStride, fours, heads, rope.headDim * 4];
    this.#recordRows(memory, 'rope', positions.length, areWhole(buffer), args);
  }

  /** cos and sin for each position, made once a run and table. */
  #rotation(rope: RopeTable, positions: Int32Array): number {
    const known = this.#rotations.get(rope);
    if (known?.positions === positions) return known.address;
    const { dimensions, frequencies, magnitude, style } = rope;
    const half = dimensions / 2;
    const width = style === 'halves' ? dimensions : 2 * dimensions;
    const address = this.#table(positions.length * width * 4);
    const table = new Float32Array(positions.length * width);
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
    this.#place(address, table);
    this.#rotations.set(rope, { positions, address });
    return address;
  }

  storeKv(cache: KvCache, layer: number, k: Buffer, v: Buffer, batch: BatchLayout): void {
    const { kvHeads, headDim, layerPageBytes, headBytes, blocks, type } = cache as WasmCache;
    const { memory, address } = blocks[layer];
    const [keys, values] = [k as WasmBuffer, v as WasmBuffer];
    for (const buffer of [keys, values]) this.#bring(memory, buffer, batch.tokens);
    const places = this.#placesOf(batch, layerPageBytes);
    const valuesAt = kvHeads * headBytes;
    // biome-ignore format: as `storeKv` takes them
    const args = [keys.address, keys.stride, values.address, values.stride, places, address, valuesAt, kvHeads, headDim,
      headBytes, cacheTypes.indexOf(type)];
    this.#recordRows(memory, 'storeKv', batch.tokens, areWhole(keys, values), args);
  }

  /** Per token the offset of its page and its place there; the same for all layers of a step. */
  #placesOf(batch: BatchLayout, pageBytes: number): number {
    if (this.#places?.batch === batch && this.#places.pageBytes === pageBytes) return this.#places.address;
    const places = new Int32Array(2 * batch.tokens);
    for (const { start, count, position, pages } of batch.segments)
      for (let i = 0; i < count; i++) {
        places[2 * (start + i)] = pages[Math.floor((position + i) / pageTokens)] * pageBytes;
        places[2 * (start + i) + 1] = (position + i) % pageTokens;
      }
    this.#places = { batch, pageBytes, address: this.#words(places) };
    return this.#places.address;
  }

  attention(
    out: Buffer,
    q: Buffer,
    cache: KvCache,
    layer: number,
    batch: BatchLayout,
    options: AttentionOptions,
  ): void {
    const { kvHeads, headDim, layerPageBytes, headBytes, blocks, type } = cache as WasmCache;
    const { memory, address } = blocks[layer];
    const [queries, target] = [q as WasmBuffer, out as WasmBuffer];
    const items = batch.tokens * kvHeads * Math.ceil(options.heads / kvHeads / maxQueries);
    this.#bring(memory, q, batch.tokens);
    this.#writes(memory, out, batch.tokens);
    const reaches = this.#reachesOf(batch, options.window ?? 0);
    // biome-ignore format: as `attention` takes them
    const integers = [queries.address, queries.stride, target.address, target.stride, headDim, reaches, options.heads,
      kvHeads, address, layerPageBytes, kvHeads * headBytes, headBytes, cacheTypes.indexOf(type)];
    const chunk = Math.min(16, this.#share(items));
    this.#record(memory, 'attention', items, chunk, integers, options.scale, options.softcap ?? 0);
  }

  /** Per token its block table and the positions that it sees; the same for all layers with this window. */
  #reachesOf(batch: BatchLayout, window: number): number {
    const known = this.#reaches.get(window);
    if (known?.batch === batch) return known.address;
    const reaches = new Int32Array(3 * batch.tokens);
    for (const { start, count, position, pages } of batch.segments) {
      const table = this.#words(pages);
      for (let i = 0; i < count; i++) {
        const to = position + i + 1;
        reaches.set([table, window ? Math.max(0, to - window) : 0, to], 3 * (start + i));
      }
    }
    const address = this.#words(reaches);
    this.#reaches.set(window, { batch, address });
    return address;
  }

  gate(out: Buffer, gate: Buffer, up: Buffer, kind: 'silu' | 'gelu', rows: number): void {
    const [o, g, u] = [out as WasmBuffer, gate as WasmBuffer, up as WasmBuffer];
    const memory = this.#home(gate);
    this.#bring(memory, up, rows);
    this.#writes(memory, out, rows);
    const args = [kind === 'gelu' ? 1 : 0, o.address, g.address, u.address, o.stride, o.stride / 32];
    this.#recordRows(memory, 'gate', rows, areWhole(o, g, u), args);
  }

  add(out: Buffer, x: Buffer, rows: number): void {
    const [o, i] = [out as WasmBuffer, x as WasmBuffer];
    const memory = this.#home(x);
    this.#writes(memory, out, rows, true);
    this.#recordRows(memory, 'add', rows, areWhole(o, i), [o.address, i.address, o.stride, o.stride / 32]);
  }

  scale(x: Buffer, factor: number, rows: number): void {
    const { address, stride } = x as WasmBuffer;
    const memory = this.#through(x, x, rows);
    this.#recordRows(memory, 'scale', rows, areWhole(x), [address, stride, stride / 32], factor);
  }

  softcap(x: Buffer, cap: number, rows: number): void {
    const { address, stride } = x as WasmBuffer;
    const memory = this.#through(x, x, rows);
    const inverse = Math.fround(1 / Math.fround(cap));
    this.#recordRows(memory, 'softcap', rows, areWhole(x), [address, stride, stride / 32], cap, inverse);
  }

  gather(out: Buffer, x: Buffer, rows: Int32Array): void {
    const { address, stride, columns } = x as WasmBuffer;
    this.#copy(
      this.#home(x),
      out,
      rows.map(row => address + row * stride),
      columns,
    );
  }

  routing(tokens: number, experts: number, used: number): WasmRouting {
    const parts = routingParts(tokens, used, experts);
    const table = this.buffer(1, parts.words);
    const at = (word: number) => table.address + 4 * word;
    return {
      ...{ experts, used, table, chosen: at(parts.chosen), weights: at(parts.weights) },
      ...{ slotOf: at(parts.slotOf), tokenOf: at(parts.tokenOf), starts: at(parts.starts) },
    };
  }

  route(routing: Routing, logits: Buffer, rows: number): void {
    const { experts, used, table, chosen, weights, slotOf, tokenOf, starts } = routing as WasmRouting;
    const { address, stride } = logits as WasmBuffer;
    const memory = this.#through(table, logits, 1);
    this.#record(memory, 'route', rows, this.#share(rows), [address, stride, experts, used, chosen, weights]);
    this.#record(memory, 'assign', 1, 1, [rows, used, experts, chosen, slotOf, tokenOf, starts]);
  }

  expertMatmuls(
    products: readonly { out: Buffer; matrix: Matrix }[],
    x: Buffer,
    from: 'tokens' | 'slots',
    routing: Routing,
    rows: number,
  ): void {
    const { experts, used, table, tokenOf, starts } = routing as WasmRouting;
    const { address, stride, columns } = x as WasmBuffer;
    const slots = rows * used;
    for (const { out, matrix } of products) {
      const { block, kind, activation, blocks, groupStride } = matrix as WasmMatrix;
      const { memory } = block;
      const perToken = this.#reserve(activation, columns, slots);
      this.#bring(memory, table, 1);
      this.#bring(memory, x, from === 'tokens' ? rows : slots);
      this.#writes(memory, out, slots);
      const number = activationKinds.indexOf(activation);
      const source = from === 'tokens' ? tokenOf : 0;
      const inputs = [number, address, stride, blocks, this.#quantized.address, perToken, starts, source];
      this.#record(memory, 'quantizeSlots', experts, 1, inputs);
      const target = out as WasmBuffer;
      const groups = target.columns / groupRows;
      // biome-ignore format: as `expertProduct` takes them
      const args = [kind, block.address, blocks, groupStride, this.#quantized.address, perToken, target.address,
        target.stride, starts, groups];
      this.#record(memory, 'expertProduct', experts * groups, this.#share(groups), args);
    }
  }

  combine(out: Buffer, slots: Buffer, routing: Routing, rows: number): void {
    const { used, table, slotOf, weights } = routing as WasmRouting;
    const [target, source] = [out as WasmBuffer, slots as WasmBuffer];
    const memory = this.#home(slots);
    this.#bring(memory, table, 1);
    this.#writes(memory, out, rows, true);
    const args = [
      target.address,
      target.stride,
      source.address,
      source.stride,
      source.stride / 32,
      used,
      slotOf,
      weights,
    ];
    this.#record(memory, 'combine', rows, this.#share(rows), args);
  }

  /** The memory in which an operation from `x` to `out` works: where x is. */
  #through(out: Buffer, x: Buffer, rows: number): number {
    const memory = this.#home(x);
    this.#writes(memory, out, rows);
    return memory;
  }

  run(giveWay?: GiveWay): number {
    this.#arena = this.#arenaStart;
    this.#rotations.clear();
    this.#reaches.clear();
    this.#places = undefined;
    return this.#execute(giveWay);
  }

  #execute(giveWay?: GiveWay): number {
    this.#rows = undefined;
    return this.#team.program.length > 0 ? this.#team.run(giveWay) : 1;
  }

  read(buffer: Buffer, row: number): Float32Array {
    const { address, stride, columns } = buffer as WasmBuffer;
    const { buffer: bytes } = this.#memories.bytes(this.#home(buffer));
    return new Float32Array(bytes as ArrayBuffer, address + row * stride, columns);
  }

  write(buffer: Buffer, row: number, values: Float32Array): void {
    const { address, stride, whole } = buffer as WasmBuffer;
    const memory = this.#home(buffer);
    new Float32Array(this.#memories.bytes(memory).buffer, address + row * stride, values.length).set(values);
    whole.valid = 1 << memory;
  }

  memory(): MemoryStats {
    return { weights: this.#weights, kvCache: this.#cacheBytes, work: this.#work };
  }

  async close(): Promise<void> {
    await this.#team.close();
  }
}
