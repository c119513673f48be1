/** The backend on GPUs: WGSL kernels over weights and caches on a device of WebGPU. */
import { RealmError } from '../../errors.ts';
import {
  type Activation,
  type AttentionOptions,
  type Backend,
  type BatchLayout,
  type Buffer,
  type ConvolutionOptions,
  type DeltaInputs,
  type DeltaShape,
  done,
  everyFeature,
  type Feature,
  type Gate,
  type KvCache,
  type KvShape,
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
  type ScanInputs,
  type ScanShape,
  type TokenBuffer,
  type Traits,
  type Vector,
} from '../backend.ts';
import { lacking } from '../lacking.ts';
import { Caches } from './caches.ts';
import { Context } from './context.ts';
import { checkFault } from './device.ts';
import { Elementwise } from './elementwise.ts';
import { Experts } from './experts.ts';
import { fused } from './fusions.ts';
import type { GpuCache, GpuMatrix, GpuOwner, GpuRouting, GpuTokens, GpuVector, GpuWorkBuffer } from './handles.ts';
import { pageBytesIn } from './page-layout.ts';
import { Products } from './products.ts';
import { Sampling } from './sampling.ts';
import { States } from './states.ts';
import { Timings } from './timings.ts';

/** What there are kernels for of that which not every backend can do. */
export const gpuFeatures: ReadonlySet<Feature> = new Set(everyFeature.filter(name => name !== 'latent'));

/** A step of more rows runs in pieces, between which it may be preempted. */
const manyRows = 64;

export class WebGpuBackend implements Backend {
  readonly onGpu = true;
  readonly device: string;
  traits: Traits = { exact: false, kvLayout: 'wasm', features: gpuFeatures };
  /** See {@link Device.isSoftware}. */
  readonly isSoftware: boolean;
  readonly #context: Context;
  readonly #owner: GpuOwner;
  readonly #products: Products;
  readonly #caches: Caches;
  readonly #elementwise: Elementwise;
  readonly #experts: Experts;
  readonly #states: States;
  readonly #sampling: Sampling;
  /** Most rows of a product in this step. */
  #rows = 0;
  #vectorBytes = 0;

  constructor(context: Context) {
    this.#context = context;
    context.recorder.fuse = fused;
    this.#owner = context.owner;
    this.device = context.device.name;
    this.isSoftware = context.device.isSoftware;
    this.#products = new Products(context);
    this.#caches = new Caches(context);
    this.#elementwise = new Elementwise(context);
    this.#experts = new Experts(context);
    this.#states = new States(context);
    this.#sampling = new Sampling(context);
  }

  get name(): string {
    return `webgpu ${this.device}, numerics: ${this.traits.exact ? 'exact' : 'device'}`;
  }

  matrix(source: MatrixSource): Promise<GpuMatrix> {
    return this.#products.matrix(source);
  }

  async loaded(): Promise<void> {
    await this.#products.loaded();
    await this.#caches.loaded();
    await this.#context.device.gpu.queue.onSubmittedWorkDone();
    checkFault(this.#context.device, true);
  }

  free(matrix: Matrix): void {
    this.#products.free(this.#owner.own(matrix));
  }

  vector(values: Float32Array): GpuVector {
    this.#vectorBytes += values.byteLength;
    return this.#context.vector(values);
  }

  buffer(rows: number, columns: number): GpuWorkBuffer {
    return this.#context.buffer(rows, columns);
  }

  view(buffer: Buffer, first: number, count: number): GpuWorkBuffer {
    const { owner, at, stride, columns, rows } = this.#owner.own(buffer);
    if (!(first >= 0 && count >= 0 && first + count <= rows)) {
      throw new RealmError('internal_error', `rows ${first} to ${first + count} of a buffer of ${rows}`);
    }
    return { owner, rows: count, columns, stride, at: at + first * stride };
  }

  tokens(rows: number): GpuTokens {
    return this.#sampling.tokens(rows);
  }

  embed(out: Buffer, table: Matrix, ids: Int32Array | TokenBuffer): void {
    const [target, own] = [this.#owner.own(out), this.#owner.own(table)];
    this.#products.embed(target, own, ids instanceof Int32Array ? ids : this.#owner.own(ids));
  }

  matmul(out: Buffer, matrix: Matrix, x: Buffer, rows: number, options: MatmulOptions = {}): void {
    this.#rows = Math.max(this.#rows, rows);
    const [target, own, source] = [this.#owner.own(out), this.#owner.own(matrix), this.#owner.own(x)];
    this.#products.one(target, own, source, rows, options);
  }

  matmuls(products: readonly Product[], x: Buffer, rows: number): void {
    this.#rows = Math.max(this.#rows, rows);
    this.#products.several(products, this.#owner.own(x), rows);
  }

  rmsNorm(out: Buffer, x: Buffer, weight: Vector, epsilon: number, rows: number, weights = 1): void {
    const [target, source] = [this.#owner.own(out), this.#owner.own(x)];
    this.#elementwise.rmsNorm(target, source, this.#owner.own(weight), epsilon, rows, weights);
  }

  layerNorm(out: Buffer, x: Buffer, weight: Vector, bias: Vector, epsilon: number, rows: number): void {
    const [target, source] = [this.#owner.own(out), this.#owner.own(x)];
    this.#elementwise.layerNorm(target, source, this.#owner.own(weight), this.#owner.own(bias), epsilon, rows);
  }

  ropeTable(spec: RopeSpec): RopeTable {
    return spec;
  }

  rope(x: Buffer, rope: RopeTable, positions: Int32Array, heads: number): void {
    this.#elementwise.rope(this.#owner.own(x), rope, positions, heads);
  }

  storeLatent(): never {
    throw lacking('latent');
  }

  attendLatent(): never {
    throw lacking('latent');
  }

  headMatmul(): never {
    throw lacking('latent');
  }

  convolve(
    out: Buffer,
    x: Buffer,
    kernel: Vector,
    cache: KvCache,
    layer: number,
    batch: BatchLayout,
    options: ConvolutionOptions,
  ): void {
    const [target, source, taps] = [this.#owner.own(out), this.#owner.own(x), this.#owner.own(kernel)];
    const bias = options.bias && this.#owner.own(options.bias);
    this.#states.convolve(target, source, taps, this.#owner.own(cache), layer, batch, { ...options, bias });
  }

  deltaRule(
    out: Buffer,
    inputs: DeltaInputs,
    cache: KvCache,
    layer: number,
    batch: BatchLayout,
    shape: DeltaShape,
  ): void {
    this.#states.deltaRule(this.#owner.own(out), inputs, this.#owner.own(cache), layer, batch, shape);
  }

  scan(out: Buffer, inputs: ScanInputs, cache: KvCache, layer: number, batch: BatchLayout, shape: ScanShape): void {
    this.#states.scan(this.#owner.own(out), inputs, this.#owner.own(cache), layer, batch, shape);
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

  gather(out: Buffer, x: Buffer, rows: Int32Array): void {
    this.#elementwise.gather(this.#owner.own(out), this.#owner.own(x), rows);
  }

  sample(out: TokenBuffer, logits: Buffer, rows: readonly SampleRow[], mask?: Uint32Array): void {
    this.#sampling.sample(this.#owner.own(out), this.#owner.own(logits), rows, mask);
  }

  kvCache(shape: KvShape): GpuCache {
    return this.#caches.create(shape);
  }

  kvPageBytes({ layers, type }: Pick<KvShape, 'layers' | 'type'>): number {
    return pageBytesIn(layers, type);
  }

  copyPages(cache: KvCache, pairs: Int32Array): void {
    this.#caches.copy(this.#owner.own(cache), 'page', pairs);
  }

  copySlots(cache: KvCache, pairs: Int32Array): void {
    this.#caches.copy(this.#owner.own(cache), 'slot', pairs);
  }

  readPage(cache: KvCache, page: number, target: Uint8Array): Promise<void> {
    return this.#caches.read(this.#owner.own(cache), 'page', page, target);
  }

  writePage(cache: KvCache, page: number, source: Uint8Array): void {
    this.#caches.write(this.#owner.own(cache), 'page', page, source);
  }

  readSlot(cache: KvCache, slot: number, target: Uint8Array): Promise<void> {
    return this.#caches.read(this.#owner.own(cache), 'slot', slot, target);
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
    const sinks = options.sinks && this.#owner.own(options.sinks);
    this.#caches.attend(target, queries, this.#owner.own(cache), layer, batch, { ...options, sinks });
  }

  routing(tokens: number, experts: number, topK: number): GpuRouting {
    return this.#experts.routing(tokens, experts, topK);
  }

  route(routing: Routing, logits: Buffer, rows: number, options: RouterOptions = {}): void {
    const own = (vector: Vector | undefined) => vector && this.#owner.own(vector);
    const router = { ...options, bias: own(options.bias), scales: own(options.scales) };
    this.#experts.route(this.#owner.own(routing), this.#owner.own(logits), rows, router);
  }

  expertMatmuls(
    products: readonly Product[],
    x: Buffer,
    from: 'tokens' | 'slots',
    routing: Routing,
    rows: number,
  ): void {
    const [source, own] = [this.#owner.own(x), this.#owner.own(routing)];
    const owned = products.map(({ out, matrix, bias }) => ({
      ...{ out: this.#owner.own(out), matrix: this.#owner.own(matrix), bias: bias && this.#owner.own(bias) },
    }));
    this.#products.experts(owned, source, from, own, rows);
  }

  combine(out: Buffer, slots: Buffer, routing: Routing, rows: number): void {
    this.#experts.combine(this.#owner.own(out), this.#owner.own(slots), this.#owner.own(routing), rows);
  }

  async run(preempt?: Preempt): Promise<RunOutcome> {
    const long = this.#rows > manyRows;
    this.#rows = 0;
    const fraction = await this.#context.recorder.run(long ? preempt : undefined);
    return fraction === 1 ? done : { kind: 'preempted', fraction };
  }

  readTokens(tokens: TokenBuffer, count: number): Promise<Int32Array> {
    return this.#sampling.read(this.#owner.own(tokens), count);
  }

  async download(buffer: Buffer, rows: Int32Array, into: Float32Array): Promise<void> {
    const { at, stride, columns } = this.#owner.own(buffer);
    const work = this.#context.work.buffer();
    const parts = Array.from(rows, row => ({ buffer: work, at: (at + row * stride) * 4, bytes: columns * 4 }));
    const bytes = await this.#context.readback.read(parts);
    into.set(new Float32Array(bytes.buffer, bytes.byteOffset, rows.length * columns));
  }

  write(buffer: Buffer, row: number, values: Float32Array): void {
    const { at, stride } = this.#owner.own(buffer);
    this.#context.work.write(at + row * stride, values);
  }

  /** Dispatches submitted so far. */
  get dispatches(): number {
    return this.#context.recorder.dispatches;
  }

  /** Times every kernel from now on, where the device can: {@link Timings.collect} tells. */
  time(): Timings | undefined {
    const { device, readback, recorder } = this.#context;
    if (Timings.has(device)) recorder.timings = new Timings(device, readback);
    return recorder.timings;
  }

  memory(): MemoryStats {
    const weights = this.#products.bytes + this.#vectorBytes;
    const [kvCache, work] = [this.#caches.bytes, this.#context.work.bytes - this.#vectorBytes];
    return { weights, kvCache, work, gpu: weights + kvCache + work };
  }

  async close(): Promise<void> {
    this.#context.close();
  }
}

/** @throws RealmError `kernel_unavailable` where there is no such GPU, or one that can do too little. */
export async function createWebGpuBackend({ gpu }: { readonly gpu?: number | undefined } = {}): Promise<WebGpuBackend> {
  return new WebGpuBackend(await Context.open(gpu));
}
