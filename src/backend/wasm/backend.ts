/** The CPU backend: generated WebAssembly kernels over shared memories, run by a pool of threads. */
import { RealmError } from '../../errors.ts';
import { constantsEnd } from '../../kernels/constants.ts';
import type { KernelPart } from '../../kernels/module.ts';
import {
  type Activation,
  type AttentionOptions,
  type Backend,
  type BatchLayout,
  type Buffer,
  done,
  everyFeature,
  type Gate,
  type KvCache,
  type KvShape,
  type LatentOptions,
  type LatentQueries,
  type MatmulOptions,
  type Matrix,
  type MatrixSource,
  type MemoryStats,
  type Preempt,
  type Product,
  type RopeSpec,
  type RopeTable,
  type RouterOptions,
  type Routing,
  type RunOutcome,
  type SampleRow,
  type TokenBuffer,
  type Vector,
} from '../backend.ts';
import { Owner } from '../owner.ts';
import { Samplers } from '../sampling/sample-rows.ts';
import { Activations } from './activations.ts';
import type { Choice } from './choice.ts';
import type { Command } from './command-buffer.ts';
import { Elementwise } from './elementwise.ts';
import { Experts } from './experts.ts';
import type { Handles, WasmBuffer, WasmCache, WasmMatrix, WasmRouting, WasmTokens, WasmVector } from './handles.ts';
import { KernelsInUse } from './kernels-in-use.ts';
import { Caches, pageBytesIn } from './kv-cache.ts';
import { Loader, stagingBytes } from './loader.ts';
import { align, Memories, mostPages } from './memories.ts';
import { Products } from './products.ts';
import { Recorder } from './recorder.ts';
import { Residency } from './residency.ts';
import { Rows } from './rows.ts';
import type { Kernels } from './selection.ts';
import { States } from './states.ts';
import { StepTables, tableBytes } from './step-tables.ts';
import { scratchBytes } from './thread-context.ts';
import type { ThreadPool } from './thread-pool.ts';
import { Upload } from './upload.ts';
import { WorkBuffers } from './work-buffers.ts';

/** Where the threads' scratch begins: behind the kernels' constants. */
const scratchStart = align(constantsEnd, 4096);

/** Address of a thread's own scratch. */
export const scratchOf = (thread: number): number => scratchStart + thread * scratchBytes;

export class WasmBackend implements Backend {
  readonly traits = { exact: true, kvLayout: 'wasm', features: new Set(everyFeature) };
  readonly #owner = new Owner<Handles>('wasm');
  readonly #samplers = new Samplers();
  readonly #pool: ThreadPool;
  readonly #memories: Memories;
  readonly #loader: Loader;
  readonly #kernels: KernelsInUse;
  readonly #tables: StepTables;
  readonly #recorder: Recorder;
  readonly #buffers: WorkBuffers;
  readonly #activations: Activations;
  readonly #upload: Upload;
  readonly #products: Products;
  readonly #experts: Experts;
  readonly #elementwise: Elementwise;
  readonly #rows: Rows;
  readonly #caches: Caches;
  readonly #states: States;
  /** Bytes of scratch, tables and staging. */
  readonly #fixedBytes: number;

  constructor(pool: ThreadPool, choose: (part: KernelPart) => Promise<Kernels>, pages = mostPages) {
    this.#pool = pool;
    this.#kernels = new KernelsInUse(pool, choose);
    const tables = align(scratchOf(pool.threads), 64);
    const staging = tables + tableBytes;
    this.#fixedBytes = staging + stagingBytes;
    const memories = new Memories(this.#fixedBytes, pages, memory => pool.add({ memory }));
    const recorder = new Recorder(pool, () => this.#loader.flush());
    const residency = new Residency(recorder);
    this.#memories = memories;
    this.#recorder = recorder;
    this.#buffers = new WorkBuffers(this.#owner, memories, residency);
    this.#tables = new StepTables(memories, tables);
    this.#loader = new Loader(staging, memories.bytes(0), recorder);
    this.#upload = new Upload(this.#owner, memories, this.#loader, type => this.#kernels.use(type));
    this.#activations = new Activations(memories, recorder, residency);
    this.#products = new Products(this.#owner, recorder, residency, this.#activations);
    this.#experts = new Experts(this.#owner, recorder, residency, this.#activations, this.#buffers);
    this.#elementwise = new Elementwise(recorder, residency, this.#tables);
    this.#rows = new Rows(memories, recorder, residency, this.#tables);
    this.#caches = new Caches(memories, recorder, residency, this.#tables);
    this.#states = new States(this.#owner, recorder, residency, this.#tables);
  }

  get name(): string {
    return `wasm ${this.#kernels.names}, ${this.#pool.threads} threads`;
  }

  /** What was chosen for each part in use. */
  get variants(): ReadonlyMap<KernelPart, Choice> {
    return this.#kernels.choices;
  }

  /** Memories in use: more than one for a model of more than 4 GiB. */
  get memories(): number {
    return this.#memories.list.length;
  }

  /** What the last run() worked through, to be counted. */
  commands(): Command[] {
    return this.#pool.commands.recorded();
  }

  /** Makes a part's kernels ready. */
  use(part: KernelPart): Promise<void> {
    return this.#kernels.use(part);
  }

  /** Gives every thread these kernels, in place of those it had for the part. */
  install(part: KernelPart, kernels: Kernels): void {
    this.#kernels.install(part, kernels);
  }

  matrix(source: MatrixSource): Promise<WasmMatrix> {
    return this.#upload.matrix(source);
  }

  loaded(): Promise<void> {
    return this.#loader.settle();
  }

  free(matrix: Matrix): void {
    this.#upload.free(this.#owner.own(matrix));
  }

  vector(values: Float32Array): WasmVector {
    return this.#upload.vector(values);
  }

  buffer(rows: number, columns: number): WasmBuffer {
    return this.#buffers.create(rows, columns);
  }

  view(buffer: Buffer, first: number, count: number): WasmBuffer {
    return this.#buffers.view(this.#owner.own(buffer), first, count);
  }

  tokens(rows: number): WasmTokens {
    return { owner: this.#owner, rows, ids: new Int32Array(rows) };
  }

  embed(out: Buffer, table: Matrix, ids: Int32Array | TokenBuffer): void {
    let values = ids as Int32Array;
    if (!(ids instanceof Int32Array)) {
      // They are looked up here and now, so they must have been chosen.
      this.#recorder.execute();
      values = this.#owner.own(ids).ids;
    }
    this.#rows.embed(this.#owner.own(out), this.#owner.own(table), values);
  }

  gather(out: Buffer, x: Buffer, rows: Int32Array): void {
    this.#rows.gather(this.#owner.own(out), this.#owner.own(x), rows);
  }

  sample(out: TokenBuffer, logits: Buffer, rows: readonly SampleRow[], mask?: Uint32Array): void {
    const [{ ids }, own] = [this.#owner.own(out), this.#owner.own(logits)];
    this.#recorder.alone(() => this.#samplers.sample(ids, own.columns, row => this.#buffers.row(own, row), rows, mask));
  }

  matmul(out: Buffer, matrix: Matrix, x: Buffer, rows: number, options: MatmulOptions = {}): void {
    const [target, own, source] = [this.#owner.own(out), this.#owner.own(matrix), this.#owner.own(x)];
    this.#products.one(target, own, source, rows, options);
  }

  matmuls(products: readonly Product[], x: Buffer, rows: number): void {
    this.#products.several(products, this.#owner.own(x), rows);
  }

  rmsNorm(out: Buffer, x: Buffer, weight: Vector, epsilon: number, rows: number, weights?: number): void {
    const [target, source] = [this.#owner.own(out), this.#owner.own(x)];
    this.#elementwise.rmsNorm(target, source, this.#owner.own(weight), epsilon, rows, weights);
  }

  layerNorm(out: Buffer, x: Buffer, weight: Vector, bias: Vector, epsilon: number, rows: number): void {
    const [target, source] = [this.#owner.own(out), this.#owner.own(x)];
    this.#elementwise.layerNorm(target, source, this.#owner.own(weight), this.#owner.own(bias), epsilon, rows);
  }

  ropeTable(spec: RopeSpec): RopeTable {
    if (spec.dimensions % 8)
      throw new RealmError('kernel_unavailable', `no rotation kernel for ${spec.dimensions} dimensions`);
    return spec;
  }

  rope(x: Buffer, rope: RopeTable, positions: Int32Array, heads: number): void {
    this.#elementwise.rope(this.#owner.own(x), rope, positions, heads);
  }

  convolve(...args: Parameters<Backend['convolve']>): void {
    this.#states.convolve(...args);
  }

  deltaRule(...args: Parameters<Backend['deltaRule']>): void {
    this.#states.deltaRule(...args);
  }

  scan(...args: Parameters<Backend['scan']>): void {
    this.#states.scan(...args);
  }

  gate(out: Buffer, gate: Buffer, up: Buffer, kind: Gate, rows: number): void {
    this.#elementwise.gate(this.#owner.own(out), this.#owner.own(gate), this.#owner.own(up), kind, rows);
  }

  activate(x: Buffer, kind: Activation, rows: number): void {
    this.#elementwise.activate(this.#owner.own(x), kind, rows);
  }

  add(out: Buffer, x: Buffer, rows: number): void {
    this.#elementwise.add(this.#owner.own(out), this.#owner.own(x), rows);
  }

  scale(x: Buffer, factor: number, rows: number): void {
    this.#elementwise.scale(this.#owner.own(x), factor, rows);
  }

  softcap(x: Buffer, cap: number, rows: number): void {
    this.#elementwise.softcap(this.#owner.own(x), cap, rows);
  }

  kvCache(shape: KvShape): WasmCache {
    return this.#caches.create(this.#owner, shape);
  }

  kvPageBytes({ layers, type }: Pick<KvShape, 'layers' | 'type'>): number {
    return pageBytesIn(layers, type);
  }

  copyPages(cache: KvCache, pairs: Int32Array): void {
    this.#recorder.execute();
    this.#caches.copy(this.#owner.own(cache), 'page', pairs);
  }

  copySlots(cache: KvCache, pairs: Int32Array): void {
    this.#recorder.execute();
    this.#caches.copy(this.#owner.own(cache), 'slot', pairs);
  }

  readPage(cache: KvCache, page: number, target: Uint8Array): void {
    this.#caches.read(this.#owner.own(cache), 'page', page, target);
  }

  writePage(cache: KvCache, page: number, source: Uint8Array): void {
    this.#caches.write(this.#owner.own(cache), 'page', page, source);
  }

  readSlot(cache: KvCache, slot: number, target: Uint8Array): void {
    this.#caches.read(this.#owner.own(cache), 'slot', slot, target);
  }

  writeSlot(cache: KvCache, slot: number, source: Uint8Array): void {
    this.#caches.write(this.#owner.own(cache), 'slot', slot, source);
  }

  storeKv(cache: KvCache, layer: number, k: Buffer, v: Buffer, batch: BatchLayout): void {
    this.#caches.store(this.#owner.own(cache), layer, this.#owner.own(k), this.#owner.own(v), batch);
  }

  attention(
    out: Buffer,
    q: Buffer,
    cache: KvCache,
    layer: number,
    batch: BatchLayout,
    options: AttentionOptions,
  ): void {
    const [target, queries] = [this.#owner.own(out), this.#owner.own(q)];
    const sinks = options.sinks ? this.#owner.own(options.sinks).address : 0;
    this.#caches.attend(target, queries, this.#owner.own(cache), layer, batch, options, sinks);
  }

  storeLatent(cache: KvCache, layer: number, latent: Buffer, rotated: Buffer, batch: BatchLayout): void {
    this.#caches.storeLatent(this.#owner.own(cache), layer, this.#owner.own(latent), this.#owner.own(rotated), batch);
  }

  attendLatent(
    out: Buffer,
    { latent, rotated }: LatentQueries,
    cache: KvCache,
    layer: number,
    batch: BatchLayout,
    options: LatentOptions,
  ): void {
    const [target, latents, rest] = [this.#owner.own(out), this.#owner.own(latent), this.#owner.own(rotated)];
    this.#caches.attendLatent(target, latents, rest, this.#owner.own(cache), layer, batch, options);
  }

  headMatmul(out: Buffer, matrix: Matrix, x: Buffer, rows: number, heads: number): void {
    const [target, own, source] = [this.#owner.own(out), this.#owner.own(matrix), this.#owner.own(x)];
    this.#products.heads(target, own, source, rows, heads);
  }

  routing(tokens: number, experts: number, topK: number): WasmRouting {
    return this.#experts.create(tokens, experts, topK);
  }

  route(routing: Routing, logits: Buffer, rows: number, options: RouterOptions = {}): void {
    this.#experts.route(routing, logits, rows, options);
  }

  expertMatmuls(
    products: readonly Product[],
    x: Buffer,
    from: 'tokens' | 'slots',
    routing: Routing,
    rows: number,
  ): void {
    this.#experts.multiply(products, x, from, routing, rows);
  }

  combine(out: Buffer, slots: Buffer, routing: Routing, rows: number): void {
    this.#experts.combine(out, slots, routing, rows);
  }

  run(preempt?: Preempt): RunOutcome {
    this.#tables.clear();
    const fraction = this.#recorder.execute(preempt);
    return fraction === 1 ? done : { kind: 'preempted', fraction };
  }

  readTokens(tokens: TokenBuffer, count: number): Int32Array {
    return this.#owner.own(tokens).ids.subarray(0, count);
  }

  download(buffer: Buffer, rows: Int32Array, into: Float32Array): void {
    this.#buffers.read(this.#owner.own(buffer), rows, into);
  }

  write(buffer: Buffer, row: number, values: Float32Array): void {
    this.#buffers.write(this.#owner.own(buffer), row, values);
  }

  memory(): MemoryStats {
    const work = this.#fixedBytes + this.#buffers.bytes + this.#activations.total;
    return { weights: this.#upload.bytes, kvCache: this.#caches.bytes, work };
  }

  async close(): Promise<void> {
    this.#owner.close();
    await this.#pool.close();
  }
}
