/** A model on two backends: some layers here, some there. What one side makes and the other needs is brought over. */
import { RealmError } from '../../errors.ts';
import type {
  AttentionOptions,
  Backend,
  BatchLayout,
  Buffer,
  KvCache,
  KvShape,
  LayerShape,
  MatmulOptions,
  Matrix,
  MatrixSource,
  MaybePromise,
  MemoryStats,
  Preempt,
  Product,
  RopeSpec,
  RopeTable,
  Routing,
  RunOutcome,
  SampleRow,
  TokenBuffer,
  Traits,
  Vector,
} from '../backend.ts';
import { Owner } from '../owner.ts';
import {
  type Both,
  bitOf,
  bothBits,
  type Handles,
  type SplitBuffer,
  type SplitCache,
  type SplitMatrix,
  type SplitRouting,
  type SplitTokens,
  type SplitVector,
  type Use,
} from './handles.ts';
import type { Placement, Side } from './placement.ts';
import { other, Stages } from './stages.ts';

const eachSide = [0, 1] as const;

/**
 * Matrices and layers of the cache are where the placement says; buffers, vectors and routings are on both sides. An operation
 * runs on the side of its matrix or its layer, any other where its input is.
 */
export class SplitBackend implements Backend {
  readonly onGpu: boolean;
  readonly traits: Traits;
  readonly #sides: Both<Backend>;
  readonly #placement: Placement;
  readonly #stages: Stages;
  readonly #owner = new Owner<Handles>('split');

  constructor(sides: Both<Backend>, placement: Placement) {
    const [first, last] = sides;
    this.#sides = sides;
    this.#placement = placement;
    this.#stages = new Stages(sides);
    this.onGpu = sides.some(({ onGpu }) => onGpu);
    this.traits = {
      exact: first.traits.exact && last.traits.exact,
      kvLayout: `${first.traits.kvLayout} ${placement.name} ${last.traits.kvLayout}`,
    };
  }

  get name(): string {
    const [first, last] = this.#sides;
    return `${first.name}; layers from ${this.#placement.name} on: ${last.name}`;
  }

  async matrix(source: MatrixSource): Promise<SplitMatrix> {
    const place = this.#placement.matrix(source.name);
    const made = async (side: Side) =>
      place === side || place === 'both' ? this.#sides[side].matrix(source) : undefined;
    const { name, type, rows, columns } = source;
    return { owner: this.#owner, name, type, rows, columns, on: [await made(0), await made(1)] };
  }

  async loaded(): Promise<void> {
    // What one side refuses must not leave the other's weights on their way.
    const all = await Promise.allSettled(this.#sides.map(side => side.loaded()));
    for (const each of all) if (each.status === 'rejected') throw each.reason;
  }

  free(matrix: Matrix): void {
    const own = this.#owner.own(matrix);
    for (const side of eachSide) if (own.on[side]) this.#sides[side].free(own.on[side]);
    own.owner = undefined;
  }

  vector(values: Float32Array): SplitVector {
    return { owner: this.#owner, length: values.length, on: this.#both(side => side.vector(values)) };
  }

  buffer(rows: number, columns: number): SplitBuffer {
    const on = this.#both(side => side.buffer(rows, columns));
    const whole = { on, columns, held: new Uint8Array(rows).fill(bothBits), writes: 0 };
    return { owner: this.#owner, rows, columns, on, whole, first: 0 };
  }

  view(buffer: Buffer, first: number, count: number): SplitBuffer {
    const { owner, columns, on, whole, first: from } = this.#owner.own(buffer);
    const parts = this.#both((side, i) => side.view(on[i], first, count));
    return { owner, rows: count, columns, on: parts, whole, first: from + first };
  }

  tokens(rows: number): SplitTokens {
    return { owner: this.#owner, rows, on: this.#both(side => side.tokens(rows)), side: 0 };
  }

  embed(out: Buffer, table: Matrix, ids: Int32Array | TokenBuffer): void {
    const [target, own] = [this.#owner.own(out), this.#owner.own(table)];
    if (ids instanceof Int32Array) {
      const side = own.on[0] ? 0 : 1;
      return this.#stages.record(side, [], [[target, ids.length]], to => to.embed(target.on[side], own.on[side]!, ids));
    }
    const { on, side, rows } = this.#owner.own(ids);
    const [writes, there] = [[[target, rows]] as const, other(side)];
    if (own.on[side])
      return this.#stages.record(side, [], writes, to => to.embed(target.on[side], own.on[side]!, on[side]));
    const values = new Int32Array(rows);
    const fetch = async () => values.set(await this.#sides[side].readTokens(on[side], rows));
    this.#stages.recordAfter(there, fetch, writes, to => to.embed(target.on[there], own.on[there]!, values));
  }

  matmul(out: Buffer, matrix: Matrix, x: Buffer, rows: number, options: MatmulOptions = {}): void {
    const [target, own, source] = [this.#owner.own(out), this.#owner.own(matrix), this.#owner.own(x)];
    const { accumulate } = options;
    const bias = options.bias && this.#owner.own(options.bias).on;
    const reads: Use[] = [[source, rows], ...(accumulate ? [[target, rows] as const] : [])];
    const side = this.#sideOf(own, reads);
    this.#stages.record(side, reads, [[target, rows]], to =>
      to.matmul(target.on[side], own.on[side]!, source.on[side], rows, { bias: bias?.[side], accumulate }),
    );
  }

  matmuls(products: readonly Product[], x: Buffer, rows: number): void {
    const source = this.#owner.own(x);
    const reads: Use[] = [[source, rows]];
    const owned = products.map(({ out, matrix, bias }) => ({
      out: this.#owner.own(out),
      matrix: this.#owner.own(matrix),
      bias: bias && this.#owner.own(bias),
    }));
    for (const [side, some] of Map.groupBy(owned, ({ matrix }) => this.#sideOf(matrix, reads))) {
      const there = some.map(({ out, matrix, bias }) => ({
        ...{ out: out.on[side], matrix: matrix.on[side]!, bias: bias?.on[side] },
      }));
      const writes = some.map(({ out }): Use => [out, rows]);
      this.#stages.record(side, reads, writes, to => to.matmuls(there, source.on[side], rows));
    }
  }

  rmsNorm(out: Buffer, x: Buffer, weight: Vector, epsilon: number, rows: number): void {
    const { on } = this.#owner.own(weight);
    this.#each(out, [x], rows, (to, side, target, [source]) => to.rmsNorm(target, source!, on[side], epsilon, rows));
  }

  layerNorm(out: Buffer, x: Buffer, weight: Vector, bias: Vector, epsilon: number, rows: number): void {
    const [weights, biases] = [this.#owner.own(weight).on, this.#owner.own(bias).on];
    this.#each(out, [x], rows, (to, side, target, [source]) =>
      to.layerNorm(target, source!, weights[side], biases[side], epsilon, rows),
    );
  }

  /** Throws what either side has against it. */
  ropeTable(spec: RopeSpec): RopeTable {
    this.#both(side => side.ropeTable(spec));
    return spec;
  }

  rope(x: Buffer, rope: RopeTable, positions: Int32Array, heads: number): void {
    this.#each(x, [x], positions.length, (to, _, target) => to.rope(target, rope, positions, heads));
  }

  gate(out: Buffer, gate: Buffer, up: Buffer, kind: 'silu' | 'gelu', rows: number): void {
    this.#each(out, [gate, up], rows, (to, _, target, [gated, upper]) => to.gate(target, gated!, upper!, kind, rows));
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
    const side = this.#stages.where(reads);
    this.#stages.record(side, reads, [[target, rows.length]], to => to.gather(target.on[side], source.on[side], rows));
  }

  sample(out: TokenBuffer, logits: Buffer, rows: readonly SampleRow[], mask?: Uint32Array): void {
    const [own, source] = [this.#owner.own(out), this.#owner.own(logits)];
    const reads: Use[] = [[source, rows.length]];
    const side = this.#stages.where(reads);
    own.side = side;
    this.#stages.record(side, reads, [], to => to.sample(own.on[side], source.on[side], rows, mask));
  }

  kvCache(shape: KvShape): SplitCache {
    const counts: [number, number] = [0, 0];
    const places = shape.layers.map((_, i) => {
      const side = this.#placement.layer(i);
      return { side, layer: counts[side]++ };
    });
    const on = this.#both((side, i) => side.kvCache({ ...shape, layers: this.#layersOf(shape.layers, i) }));
    const [pageBytes, slotBytes] = [on[0].pageBytes + on[1].pageBytes, on[0].slotBytes + on[1].slotBytes];
    return { ...shape, owner: this.#owner, on, places, pageBytes, slotBytes };
  }

  kvPageBytes({ layers, type }: Pick<KvShape, 'layers' | 'type'>): number {
    const [first, last] = this.#both((side, i) => side.kvPageBytes({ layers: this.#layersOf(layers, i), type }));
    return first + last;
  }

  storeKv(cache: KvCache, layer: number, k: Buffer, v: Buffer, batch: BatchLayout): void {
    const [{ on, places }, keys, values] = [this.#owner.own(cache), this.#owner.own(k), this.#owner.own(v)];
    const { side, layer: there } = places[layer]!;
    const reads: Use[] = [
      [keys, batch.tokens],
      [values, batch.tokens],
    ];
    this.#stages.record(side, reads, [], to => to.storeKv(on[side], there, keys.on[side], values.on[side], batch));
  }

  attention(
    out: Buffer,
    q: Buffer,
    cache: KvCache,
    layer: number,
    batch: BatchLayout,
    options: AttentionOptions,
  ): void {
    const [target, queries, { on, places }] = [this.#owner.own(out), this.#owner.own(q), this.#owner.own(cache)];
    const { side, layer: there } = places[layer]!;
    this.#stages.record(side, [[queries, batch.tokens]], [[target, batch.tokens]], to =>
      to.attention(target.on[side], queries.on[side], on[side], there, batch, options),
    );
  }

  routing(tokens: number, experts: number, topK: number): SplitRouting {
    const on = this.#both(side => side.routing(tokens, experts, topK));
    return { owner: this.#owner, experts, topK, on, held: 0, scores: undefined };
  }

  route(routing: Routing, logits: Buffer, rows: number): void {
    const [own, source] = [this.#owner.own(routing), this.#owner.own(logits)];
    own.held = 0;
    own.scores = { use: [source, rows], writes: source.whole.writes };
    this.#routed(own, this.#stages.where([own.scores.use]));
  }

  expertMatmuls(
    products: readonly { out: Buffer; matrix: Matrix }[],
    x: Buffer,
    from: 'tokens' | 'slots',
    routing: Routing,
    rows: number,
  ): void {
    const [source, own] = [this.#owner.own(x), this.#owner.own(routing)];
    const reads: Use[] = [[source, from === 'tokens' ? rows : rows * own.topK]];
    const owned = products.map(({ out, matrix }) => ({ out: this.#owner.own(out), matrix: this.#owner.own(matrix) }));
    for (const [side, some] of Map.groupBy(owned, ({ matrix }) => this.#sideOf(matrix, reads))) {
      const known = this.#routed(own, side);
      const there = some.map(({ out, matrix }) => ({ out: out.on[side], matrix: matrix.on[side]! }));
      const writes = some.map(({ out }): Use => [out, rows * own.topK]);
      this.#stages.record(side, reads, writes, to => to.expertMatmuls(there, source.on[side], from, known, rows));
    }
  }

  combine(out: Buffer, slots: Buffer, routing: Routing, rows: number): void {
    const [target, source, own] = [this.#owner.own(out), this.#owner.own(slots), this.#owner.own(routing)];
    const reads: Use[] = [
      [source, rows * own.topK],
      [target, rows],
    ];
    const nearest = this.#stages.where(reads);
    const side = own.held & bitOf(nearest) ? nearest : other(nearest);
    const known = this.#routed(own, side);
    this.#stages.record(side, reads, [[target, rows]], to => to.combine(target.on[side], source.on[side], known, rows));
  }

  copyPages(cache: KvCache, pairs: Int32Array): void {
    const { on } = this.#owner.own(cache);
    for (const side of eachSide) this.#stages.recordAlways(side, to => to.copyPages(on[side], pairs));
  }

  copySlots(cache: KvCache, pairs: Int32Array): void {
    const { on, slotBytes } = this.#owner.own(cache);
    if (slotBytes === 0) return;
    for (const side of eachSide) this.#stages.recordAlways(side, to => to.copySlots(on[side], pairs));
  }

  run(preempt?: Preempt): Promise<RunOutcome> {
    return this.#stages.run(preempt);
  }

  readTokens(tokens: TokenBuffer, count: number): MaybePromise<Int32Array> {
    const { on, side } = this.#owner.own(tokens);
    return this.#sides[side].readTokens(on[side], count);
  }

  async download(buffer: Buffer, rows: Int32Array, into: Float32Array): Promise<void> {
    const own = this.#owner.own(buffer);
    const has = (side: Side, row: number) => (own.whole.held[own.first + row]! & bitOf(side)) !== 0;
    const all = eachSide.find(side => rows.every(row => has(side, row)));
    if (all !== undefined) return this.#sides[all].download(own.on[all], rows, into);
    for (const [i, row] of rows.entries()) {
      const side = has(0, row) ? 0 : 1;
      const part = into.subarray(i * own.columns, (i + 1) * own.columns);
      await this.#sides[side].download(own.on[side], Int32Array.of(row), part);
    }
  }

  write(buffer: Buffer, row: number, values: Float32Array): void {
    const { on, whole, first } = this.#owner.own(buffer);
    this.#both((side, i) => side.write(on[i], row, values));
    whole.held[first + row] = bothBits;
    whole.writes++;
  }

  /** The first side's layers, and the last's behind them. */
  async readPage(cache: KvCache, page: number, target: Uint8Array): Promise<void> {
    const { on } = this.#owner.own(cache);
    const parts = halves(target, on[0].pageBytes);
    await Promise.all(this.#both((side, i) => side.readPage(on[i], page, parts[i])));
  }

  async writePage(cache: KvCache, page: number, source: Uint8Array): Promise<void> {
    const { on } = this.#owner.own(cache);
    const parts = halves(source, on[0].pageBytes);
    await Promise.all(this.#both((side, i) => side.writePage(on[i], page, parts[i])));
  }

  async readSlot(cache: KvCache, slot: number, target: Uint8Array): Promise<void> {
    const { on } = this.#owner.own(cache);
    const parts = halves(target, on[0].slotBytes);
    await Promise.all(this.#both((side, i) => side.readSlot(on[i], slot, parts[i])));
  }

  async writeSlot(cache: KvCache, slot: number, source: Uint8Array): Promise<void> {
    const { on } = this.#owner.own(cache);
    const parts = halves(source, on[0].slotBytes);
    await Promise.all(this.#both((side, i) => side.writeSlot(on[i], slot, parts[i])));
  }

  memory(): MemoryStats {
    const [first, last] = this.#both(side => side.memory());
    return {
      weights: first.weights + last.weights,
      kvCache: first.kvCache + last.kvCache,
      work: first.work + last.work,
    };
  }

  async close(): Promise<void> {
    this.#owner.close();
    this.#stages.clear();
    await Promise.all(this.#both(side => side.close()));
  }

  #both<T>(work: (side: Backend, i: Side) => T): Both<T> {
    return [work(this.#sides[0], 0), work(this.#sides[1], 1)];
  }

  #sideOf({ on }: SplitMatrix, reads: readonly Use[]): Side {
    if (on[0] && on[1]) return this.#stages.where(reads);
    return on[0] ? 0 : 1;
  }

  /** What was chosen is not brought over: the other side chooses again, from the same scores. */
  #routed(routing: SplitRouting, side: Side): Routing {
    const { on, scores } = routing;
    if (routing.held & bitOf(side)) return on[side];
    const [source, rows] = scores?.use ?? [];
    if (!source || source.whole.writes !== scores?.writes)
      throw new RealmError('internal_error', 'experts on a side that does not know who goes to them');
    routing.held |= bitOf(side);
    this.#stages.record(side, [[source, rows!]], [], to => to.route(on[side], source.on[side], rows!));
    return on[side];
  }

  #layersOf(layers: readonly LayerShape[], side: Side): LayerShape[] {
    return layers.filter((_, i) => this.#placement.layer(i) === side);
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
    const side = this.#stages.where(reads);
    const there = sources.map(({ on }) => on[side]);
    this.#stages.record(side, reads, [[target, rows]], to => work(to, side, target.on[side], there));
  }
}

const halves = (bytes: Uint8Array, first: number): Both<Uint8Array> => [
  bytes.subarray(0, first),
  bytes.subarray(first),
];
