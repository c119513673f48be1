/** A model on two backends: some layers here, some there. What one side makes and the other needs is brought over. */
import type {
  Activation,
  AttentionOptions,
  Backend,
  BatchLayout,
  Buffer,
  ConvolutionOptions,
  DeltaInputs,
  DeltaShape,
  Gate,
  KvCache,
  KvShape,
  LatentOptions,
  LatentQueries,
  MatmulOptions,
  Matrix,
  MatrixSource,
  MaybePromise,
  MemoryStats,
  Preempt,
  Product,
  RopeSpec,
  RopeTable,
  RouterOptions,
  Routing,
  RunOutcome,
  SampleRow,
  ScanInputs,
  ScanShape,
  TokenBuffer,
  Traits,
  Vector,
} from '../backend.ts';
import { Caches } from './caches.ts';
import { Experts } from './experts.ts';
import {
  type Both,
  bitOf,
  bothBits,
  type SplitBuffer,
  type SplitCache,
  type SplitMatrix,
  type SplitOwner,
  type SplitRouting,
  type SplitTokens,
  type SplitVector,
  type Use,
} from './handles.ts';
import type { Placement, Side } from './placement.ts';
import { Products } from './products.ts';
import { eachSide, Sides } from './sides.ts';

/**
 * Matrices and layers of the cache are where the placement says; buffers, vectors and routings are on both sides. An operation
 * runs on the side of its matrix or its layer, any other where its input is.
 */
export class SplitBackend implements Backend {
  readonly onGpu: boolean;
  readonly traits: Traits;
  readonly #sides: Sides;
  readonly #owner: SplitOwner;
  readonly #products: Products;
  readonly #experts: Experts;
  readonly #caches: Caches;

  constructor(backends: Both<Backend>, placement: Placement) {
    const [first, last] = backends;
    this.onGpu = backends.some(({ onGpu }) => onGpu);
    this.traits = {
      exact: first.traits.exact && last.traits.exact,
      features: first.traits.features.intersection(last.traits.features),
      kvLayout: `${first.traits.kvLayout} ${placement.name} ${last.traits.kvLayout}`,
    };
    this.#sides = new Sides(backends, placement);
    this.#owner = this.#sides.owner;
    this.#products = new Products(this.#sides);
    this.#experts = new Experts(this.#sides);
    this.#caches = new Caches(this.#sides);
  }

  get name(): string {
    const { backends, placement } = this.#sides;
    return `${backends[0].name}; layers from ${placement.name} on: ${backends[1].name}`;
  }

  matrix(source: MatrixSource): Promise<SplitMatrix> {
    return this.#products.matrix(source);
  }

  async loaded(): Promise<void> {
    // What one side refuses must not leave the other's weights on their way.
    const all = await Promise.allSettled(this.#sides.both(backend => backend.loaded()));
    for (const each of all) if (each.status === 'rejected') throw each.reason;
  }

  free(matrix: Matrix): void {
    this.#products.free(this.#owner.own(matrix));
  }

  vector(values: Float32Array): SplitVector {
    return { owner: this.#owner, length: values.length, on: this.#sides.both(side => side.vector(values)) };
  }

  buffer(rows: number, columns: number): SplitBuffer {
    const on = this.#sides.both(side => side.buffer(rows, columns));
    const whole = { on, columns, held: new Uint8Array(rows).fill(bothBits), writes: 0 };
    return { owner: this.#owner, rows, columns, on, whole, first: 0 };
  }

  view(buffer: Buffer, first: number, count: number): SplitBuffer {
    const { owner, columns, on, whole, first: from } = this.#owner.own(buffer);
    const parts = this.#sides.both((side, i) => side.view(on[i], first, count));
    return { owner, rows: count, columns, on: parts, whole, first: from + first };
  }

  tokens(rows: number): SplitTokens {
    return { owner: this.#owner, rows, on: this.#sides.both(side => side.tokens(rows)), side: 0 };
  }

  embed(out: Buffer, table: Matrix, ids: Int32Array | TokenBuffer): void {
    const [target, own] = [this.#owner.own(out), this.#owner.own(table)];
    if (ids instanceof Int32Array) this.#products.embed(target, own, ids);
    else this.#products.embedTokens(target, own, this.#owner.own(ids));
  }

  matmul(out: Buffer, matrix: Matrix, x: Buffer, rows: number, options: MatmulOptions = {}): void {
    const [target, own, source] = [this.#owner.own(out), this.#owner.own(matrix), this.#owner.own(x)];
    this.#products.one(target, own, source, rows, options);
  }

  matmuls(products: readonly Product[], x: Buffer, rows: number): void {
    this.#products.several(products, this.#owner.own(x), rows);
  }

  rmsNorm(out: Buffer, x: Buffer, weight: Vector, epsilon: number, rows: number, weights?: number): void {
    const { on } = this.#owner.own(weight);
    this.#each(out, [x], rows, (to, side, target, [source]) =>
      to.rmsNorm(target, source!, on[side], epsilon, rows, weights),
    );
  }

  layerNorm(out: Buffer, x: Buffer, weight: Vector, bias: Vector, epsilon: number, rows: number): void {
    const [weights, biases] = [this.#owner.own(weight).on, this.#owner.own(bias).on];
    this.#each(out, [x], rows, (to, side, target, [source]) =>
      to.layerNorm(target, source!, weights[side], biases[side], epsilon, rows),
    );
  }

  /** Throws what either side has against it. */
  ropeTable(spec: RopeSpec): RopeTable {
    this.#sides.both(side => side.ropeTable(spec));
    return spec;
  }

  rope(x: Buffer, rope: RopeTable, positions: Int32Array, heads: number): void {
    this.#each(x, [x], positions.length, (to, _, target) => to.rope(target, rope, positions, heads));
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
    const [{ on: sources }, { on: kernels }] = [this.#owner.own(x), this.#owner.own(kernel)];
    const bias = options.bias && this.#owner.own(options.bias).on;
    this.#pass(out, [x], cache, layer, batch, (to, side, target, own, there) =>
      to.convolve(target, sources[side], kernels[side], own, there, batch, { ...options, bias: bias?.[side] }),
    );
  }

  deltaRule(
    out: Buffer,
    inputs: DeltaInputs,
    cache: KvCache,
    layer: number,
    batch: BatchLayout,
    shape: DeltaShape,
  ): void {
    const on = this.#inputs(inputs);
    const { qkv, alpha, beta } = inputs;
    this.#pass(out, [qkv, alpha, beta], cache, layer, batch, (to, side, target, own, there) =>
      to.deltaRule(target, on[side], own, there, batch, shape),
    );
  }

  scan(out: Buffer, inputs: ScanInputs, cache: KvCache, layer: number, batch: BatchLayout, shape: ScanShape): void {
    const on = this.#inputs(inputs);
    this.#pass(out, [inputs.xbc, inputs.dt], cache, layer, batch, (to, side, target, own, there) =>
      to.scan(target, on[side], own, there, batch, shape),
    );
  }

  gate(out: Buffer, gate: Buffer, up: Buffer, kind: Gate, rows: number): void {
    this.#each(out, [gate, up], rows, (to, _, target, [gated, upper]) => to.gate(target, gated!, upper!, kind, rows));
  }

  activate(x: Buffer, kind: Activation, rows: number): void {
    this.#each(x, [x], rows, (to, _, target) => to.activate(target, kind, rows));
  }

  add(out: Buffer, x: Buffer, rows: number): void {
    this.#each(out, [out, x], rows, (to, _, target, [, source]) => to.add(target, source!, rows));
  }

  scale(x: Buffer, factor: number, rows: number): void {
    this.#each(x, [x], rows, (to, _, target) => to.scale(target, factor, rows));
  }

  softcap(x: Buffer, cap: number, rows: number): void {
    this.#each(x, [x], rows, (to, _, target) => to.softcap(target, cap, rows));
  }

  gather(out: Buffer, x: Buffer, rows: Int32Array): void {
    const [target, source] = [this.#owner.own(out), this.#owner.own(x)];
    const reads: Use[] = [[source, rows.reduce((most, row) => Math.max(most, row + 1), 0)]];
    const side = this.#sides.stages.where(reads);
    this.#sides.stages.record(side, reads, [[target, rows.length]], to =>
      to.gather(target.on[side], source.on[side], rows),
    );
  }

  sample(out: TokenBuffer, logits: Buffer, rows: readonly SampleRow[], mask?: Uint32Array): void {
    const [own, source] = [this.#owner.own(out), this.#owner.own(logits)];
    const reads: Use[] = [[source, rows.length]];
    const side = this.#sides.stages.where(reads);
    own.side = side;
    this.#sides.stages.record(side, reads, [], to => to.sample(own.on[side], source.on[side], rows, mask));
  }

  kvCache(shape: KvShape): SplitCache {
    return this.#caches.create(shape);
  }

  kvPageBytes(shape: Pick<KvShape, 'layers' | 'type'>): number {
    return this.#caches.pageBytes(shape);
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

  storeLatent(cache: KvCache, layer: number, latent: Buffer, rotated: Buffer, batch: BatchLayout): void {
    const [own, latents, rest] = [this.#owner.own(cache), this.#owner.own(latent), this.#owner.own(rotated)];
    this.#caches.store(own, layer, latents, rest, batch, 'storeLatent');
  }

  attendLatent(
    out: Buffer,
    { latent, rotated }: LatentQueries,
    cache: KvCache,
    layer: number,
    batch: BatchLayout,
    options: LatentOptions,
  ): void {
    const [{ on: latents }, { on: rest }] = [this.#owner.own(latent), this.#owner.own(rotated)];
    this.#pass(out, [latent, rotated], cache, layer, batch, (to, side, target, own, there) =>
      to.attendLatent(target, { latent: latents[side], rotated: rest[side] }, own, there, batch, options),
    );
  }

  headMatmul(out: Buffer, matrix: Matrix, x: Buffer, rows: number, heads: number): void {
    this.#products.heads(this.#owner.own(out), this.#owner.own(matrix), this.#owner.own(x), rows, heads);
  }

  routing(tokens: number, experts: number, topK: number): SplitRouting {
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
    this.#experts.multiply(owned, source, from, own, rows);
  }

  combine(out: Buffer, slots: Buffer, routing: Routing, rows: number): void {
    this.#experts.combine(this.#owner.own(out), this.#owner.own(slots), this.#owner.own(routing), rows);
  }

  copyPages(cache: KvCache, pairs: Int32Array): void {
    this.#caches.copyPages(this.#owner.own(cache), pairs);
  }

  copySlots(cache: KvCache, pairs: Int32Array): void {
    this.#caches.copySlots(this.#owner.own(cache), pairs);
  }

  run(preempt?: Preempt): Promise<RunOutcome> {
    return this.#sides.stages.run(preempt);
  }

  readTokens(tokens: TokenBuffer, count: number): MaybePromise<Int32Array> {
    const { on, side } = this.#owner.own(tokens);
    return this.#sides.backends[side].readTokens(on[side], count);
  }

  async download(buffer: Buffer, rows: Int32Array, into: Float32Array): Promise<void> {
    const own = this.#owner.own(buffer);
    const has = (side: Side, row: number) => (own.whole.held[own.first + row]! & bitOf(side)) !== 0;
    const all = eachSide.find(side => rows.every(row => has(side, row)));
    if (all !== undefined) return this.#sides.backends[all].download(own.on[all], rows, into);
    for (const [i, row] of rows.entries()) {
      const side = has(0, row) ? 0 : 1;
      const part = into.subarray(i * own.columns, (i + 1) * own.columns);
      await this.#sides.backends[side].download(own.on[side], Int32Array.of(row), part);
    }
  }

  write(buffer: Buffer, row: number, values: Float32Array): void {
    const { on, whole, first } = this.#owner.own(buffer);
    this.#sides.both((side, i) => side.write(on[i], row, values));
    whole.held[first + row] = bothBits;
    whole.writes++;
  }

  readPage(cache: KvCache, page: number, target: Uint8Array): Promise<void> {
    return this.#caches.move(this.#owner.own(cache), 'pageBytes', target, (from, own, part) =>
      from.readPage(own, page, part),
    );
  }

  writePage(cache: KvCache, page: number, source: Uint8Array): Promise<void> {
    return this.#caches.move(this.#owner.own(cache), 'pageBytes', source, (to, own, part) =>
      to.writePage(own, page, part),
    );
  }

  readSlot(cache: KvCache, slot: number, target: Uint8Array): Promise<void> {
    return this.#caches.move(this.#owner.own(cache), 'slotBytes', target, (from, own, part) =>
      from.readSlot(own, slot, part),
    );
  }

  writeSlot(cache: KvCache, slot: number, source: Uint8Array): Promise<void> {
    return this.#caches.move(this.#owner.own(cache), 'slotBytes', source, (to, own, part) =>
      to.writeSlot(own, slot, part),
    );
  }

  memory(): MemoryStats {
    const [first, last] = this.#sides.both(side => side.memory());
    return {
      weights: first.weights + last.weights,
      kvCache: first.kvCache + last.kvCache,
      work: first.work + last.work,
      gpu: (first.gpu ?? 0) + (last.gpu ?? 0),
    };
  }

  async close(): Promise<void> {
    this.#owner.close();
    this.#sides.stages.clear();
    await Promise.all(this.#sides.both(side => side.close()));
  }

  /** What each side knows of an operation's buffers and vectors. */
  #inputs<T extends DeltaInputs | ScanInputs>(inputs: T): Both<T> {
    const own = Object.entries(inputs).map(
      ([name, handle]) => [name, this.#owner.own(handle as Buffer | Vector).on] as const,
    );
    return this.#sides.both((_, side) => Object.fromEntries(own.map(([name, on]) => [name, on[side]])) as unknown as T);
  }

  /** A layer with a state, on that layer's side. */
  #pass(
    out: Buffer,
    reads: readonly Buffer[],
    cache: KvCache,
    layer: number,
    batch: BatchLayout,
    work: Parameters<Caches['pass']>[5],
  ): void {
    const sources = reads.map(read => this.#owner.own(read));
    this.#caches.pass(this.#owner.own(out), sources, this.#owner.own(cache), layer, batch, work);
  }

  /** An operation row by row, where its inputs are. */
  #each(
    out: Buffer,
    inputs: readonly Buffer[],
    rows: number,
    work: (to: Backend, side: Side, out: Buffer, inputs: readonly Buffer[]) => void,
  ): void {
    const [target, sources] = [this.#owner.own(out), inputs.map(input => this.#owner.own(input))];
    const reads = sources.map((source): Use => [source, rows]);
    const side = this.#sides.stages.where(reads);
    const there = sources.map(({ on }) => on[side]);
    this.#sides.stages.record(side, reads, [[target, rows]], to => work(to, side, target.on[side], there));
  }
}
