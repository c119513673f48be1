/** The CPU backend: generated WebAssembly kernels over shared memories, run by a team of threads. */
import { availableParallelism } from 'node:os';
import { RealmError } from '../../errors.ts';
import { maxTile } from '../../kernels/activation.ts';
import { type KernelPart, variants } from '../../kernels/module.ts';
import type {
  AttentionOptions,
  Backend,
  BatchLayout,
  Buffer,
  GiveWay,
  KvCache,
  KvShape,
  Matrix,
  MatrixSource,
  MemoryStats,
  RopeSpec,
  RopeTable,
  Routing,
  Vector,
} from '../backend.ts';
import { Activations } from './activations.ts';
import { type Choice, everywhere, variantsIn } from './choice.ts';
import type { Command } from './commands.ts';
import { Elementwise } from './elementwise.ts';
import { Experts, routingIn, routingWords } from './experts.ts';
import {
  type WasmBuffer,
  type WasmCache,
  type WasmMatrix,
  type WasmRouting,
  type WasmVector,
  weightTypes,
} from './handles.ts';
import { Caches } from './kv-cache.ts';
import { Loader, stagingBytes } from './loader.ts';
import { align, Memories, mostPages } from './memories.ts';
import { Products } from './products.ts';
import { Recorder } from './recorder.ts';
import { Residency } from './residency.ts';
import { Rows } from './rows.ts';
import { type Bench, chooseKernels, type Kernels, kernelsOf, variantNamed } from './selection.ts';
import { scratchBytes } from './station.ts';
import { StepTables, tableBytes } from './step-tables.ts';
import { Team } from './team.ts';
import { Upload } from './upload.ts';

export interface WasmBackendOptions {
  readonly threads?: number | undefined;
  /** A variant's name; default REALM_KERNELS, else for each size the fastest of those that pass the self-test. */
  readonly variant?: string | undefined;
  /** Size of one memory, in units of 64 KiB. Default 4 GiB; a larger model takes several. */
  readonly memoryPages?: number;
}

/** Where the threads' scratch begins: behind the kernels' constants. */
const scratchStart = 4096;

/** A backend with a team of `threads` (default: the processors this process may use). */
export async function createWasmBackend(options: WasmBackendOptions = {}): Promise<WasmBackend> {
  const threads = options.threads ?? availableParallelism();
  const name = options.variant ?? process.env.REALM_KERNELS;
  const forced = name ? variantNamed(name) : undefined;
  const team = await Team.start(threads, thread => scratchStart + thread * scratchBytes, weightTypes, maxTile);
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
  const team = await Team.start(threads, thread => scratchStart + thread * scratchBytes, weightTypes, maxTile);
  const bench = new WasmBackend(team, async part => kernelsOf(part, everywhere(part, variants[0].name)));
  await bench.use('common');
  return bench;
}

export class WasmBackend implements Backend {
  readonly #team: Team;
  readonly #memories: Memories;
  readonly #loader: Loader;
  readonly #choose: (part: KernelPart) => Promise<Kernels>;
  readonly #kernels = new Map<KernelPart, Promise<Kernels>>();
  readonly #variants = new Map<KernelPart, Choice>();
  readonly #tables: StepTables;
  readonly #recorder: Recorder;
  readonly #residency: Residency;
  readonly #activations: Activations;
  readonly #upload: Upload;
  readonly #products: Products;
  readonly #experts: Experts;
  readonly #elementwise: Elementwise;
  readonly #rows: Rows;
  readonly #caches: Caches;
  /** Bytes of tables, staging and work buffers. */
  #work: number;

  constructor(team: Team, choose: (part: KernelPart) => Promise<Kernels>, pages = mostPages) {
    this.#team = team;
    this.#choose = choose;
    const tables = align(scratchStart + team.threads * scratchBytes, 64);
    const staging = tables + tableBytes;
    this.#work = staging + stagingBytes;
    const memories = new Memories(this.#work, pages, memory => team.add({ memory }));
    const recorder = new Recorder(team, () => this.#loader.flush());
    const residency = new Residency(recorder);
    this.#memories = memories;
    this.#recorder = recorder;
    this.#residency = residency;
    this.#tables = new StepTables(memories, tables);
    this.#loader = new Loader(staging, memories.bytes(0), recorder);
    this.#upload = new Upload(memories, this.#loader, type => this.use(type));
    this.#activations = new Activations(memories, recorder, residency);
    this.#products = new Products(recorder, residency, this.#activations);
    this.#experts = new Experts(recorder, residency, this.#activations);
    this.#elementwise = new Elementwise(recorder, residency, this.#tables);
    this.#rows = new Rows(memories, recorder, residency, this.#tables);
    this.#caches = new Caches(memories, recorder, residency, this.#tables);
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

  matrix(source: MatrixSource): Promise<WasmMatrix> {
    return this.#upload.matrix(source);
  }

  loaded(): Promise<void> {
    return this.#loader.settle();
  }

  free(matrix: Matrix): void {
    this.#upload.free(matrix);
  }

  vector(values: Float32Array): WasmVector {
    return this.#upload.vector(values);
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

  embed(out: Buffer, table: Matrix, tokens: Int32Array): void {
    this.#rows.embed(out, table, tokens);
  }

  gather(out: Buffer, x: Buffer, rows: Int32Array): void {
    this.#rows.gather(out, x, rows);
  }

  matmul(
    out: Buffer,
    matrix: Matrix,
    x: Buffer,
    rows: number,
    options: { bias?: Vector; accumulate?: boolean } = {},
  ): void {
    this.#products.one(out, matrix, x, rows, options);
  }

  matmuls(products: readonly { out: Buffer; matrix: Matrix; bias?: Vector }[], x: Buffer, rows: number): void {
    this.#products.several(products, x, rows);
  }

  rmsNorm(out: Buffer, x: Buffer, weight: Vector, epsilon: number, rows: number): void {
    this.#elementwise.rmsNorm(out, x, weight, epsilon, rows);
  }

  layerNorm(out: Buffer, x: Buffer, weight: Vector, bias: Vector, epsilon: number, rows: number): void {
    this.#elementwise.layerNorm(out, x, weight, bias, epsilon, rows);
  }

  ropeTable(spec: RopeSpec): RopeTable {
    if (spec.dimensions % 8)
      throw new RealmError('kernel_unavailable', `no rotation kernel for ${spec.dimensions} dimensions`);
    return spec;
  }

  rope(x: Buffer, rope: RopeTable, positions: Int32Array, heads: number): void {
    this.#elementwise.rope(x, rope, positions, heads);
  }

  gate(out: Buffer, gate: Buffer, up: Buffer, kind: 'silu' | 'gelu', rows: number): void {
    this.#elementwise.gate(out, gate, up, kind, rows);
  }

  add(out: Buffer, x: Buffer, rows: number): void {
    this.#elementwise.add(out, x, rows);
  }

  scale(x: Buffer, factor: number, rows: number): void {
    this.#elementwise.scale(x, factor, rows);
  }

  softcap(x: Buffer, cap: number, rows: number): void {
    this.#elementwise.softcap(x, cap, rows);
  }

  kvCache(shape: KvShape): WasmCache {
    return this.#caches.create(shape);
  }

  readPage(cache: KvCache, page: number, target: Uint8Array): void {
    this.#caches.eachLayer(cache, page, (layer, at) => void target.set(layer, at));
  }

  writePage(cache: KvCache, page: number, source: Uint8Array): void {
    this.#caches.eachLayer(cache, page, (layer, at) => void layer.set(source.subarray(at, at + layer.length)));
  }

  storeKv(cache: KvCache, layer: number, k: Buffer, v: Buffer, batch: BatchLayout): void {
    this.#caches.store(cache, layer, k, v, batch);
  }

  attention(
    out: Buffer,
    q: Buffer,
    cache: KvCache,
    layer: number,
    batch: BatchLayout,
    options: AttentionOptions,
  ): void {
    this.#caches.attend(out, q, cache, layer, batch, options);
  }

  routing(tokens: number, experts: number, used: number): WasmRouting {
    return routingIn(this.buffer(1, routingWords(tokens, experts, used)), tokens, experts, used);
  }

  route(routing: Routing, logits: Buffer, rows: number): void {
    this.#experts.route(routing, logits, rows);
  }

  expertMatmuls(
    products: readonly { out: Buffer; matrix: Matrix }[],
    x: Buffer,
    from: 'tokens' | 'slots',
    routing: Routing,
    rows: number,
  ): void {
    for (const { out, matrix } of products) this.#experts.multiply(out, matrix, x, from, routing, rows);
  }

  combine(out: Buffer, slots: Buffer, routing: Routing, rows: number): void {
    this.#experts.combine(out, slots, routing, rows);
  }

  run(giveWay?: GiveWay): number {
    this.#tables.clear();
    return this.#recorder.execute(giveWay);
  }

  read(buffer: Buffer, row: number): Float32Array {
    const { address, stride, columns } = buffer as WasmBuffer;
    const { buffer: bytes } = this.#memories.bytes(this.#residency.home(buffer));
    return new Float32Array(bytes as ArrayBuffer, address + row * stride, columns);
  }

  write(buffer: Buffer, row: number, values: Float32Array): void {
    const { address, stride, whole } = buffer as WasmBuffer;
    const memory = this.#residency.home(buffer);
    new Float32Array(this.#memories.bytes(memory).buffer, address + row * stride, values.length).set(values);
    whole.valid = 1 << memory;
  }

  memory(): MemoryStats {
    return { weights: this.#upload.bytes, kvCache: this.#caches.bytes, work: this.#work + this.#activations.total };
  }

  async close(): Promise<void> {
    await this.#team.close();
  }
}
