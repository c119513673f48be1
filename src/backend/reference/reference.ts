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
import { attend, reachOf } from './attention.ts';
import {
  groups,
  type Handles,
  ReferenceBuffer,
  type ReferenceRouting,
  type ReferenceTokens,
  type ReferenceVector,
} from './handles.ts';
import { pageBytesOf, ReferenceKvCache, type Unit } from './kv-cache.ts';
import { gelu, relu2, sigmoid, silu, softcap, swigluOai } from './math.ts';
import { layerNorm, rmsNorm } from './norm.ts';
import { checkHeads, checkProduct, multiply, multiplyExperts, multiplyHeads } from './products.ts';
import { rotate } from './rope.ts';
import { assignSlots, chooseExperts } from './routing.ts';
import { StateLayers } from './state-layers.ts';
import { ReferenceMatrix } from './weights.ts';

const f = Math.fround;
const activations = { silu, gelu, sigmoid, relu2 };

const plain = (activation: (x: number) => number) => (gate: number, up: number) => f(activation(gate) * up);

/** The oracle: every operation written out naively, one row after the other. Slow; needs nothing but JavaScript. */
export function createReferenceBackend(): Backend {
  return new ReferenceBackend();
}

class ReferenceBackend implements Backend {
  readonly name = 'reference';
  readonly traits = { exact: true, kvLayout: 'reference', features: new Set(everyFeature) };
  readonly #owner = new Owner<Handles>('reference');
  readonly #samplers = new Samplers();
  readonly #recorded: (() => void)[] = [];
  readonly #states = new StateLayers(this.#owner, operation => this.#record(operation));
  readonly #memory = { weights: 0, kvCache: 0, work: 0 };

  async matrix(source: MatrixSource): Promise<Matrix> {
    const matrix = await ReferenceMatrix.load(source, this.#owner);
    this.#memory.weights += matrix.bytes.byteLength;
    return matrix;
  }

  async loaded(): Promise<void> {}

  free(matrix: Matrix): void {
    const own = this.#owner.own(matrix);
    this.#memory.weights -= own.bytes.byteLength;
    own.owner = undefined;
  }

  view(buffer: Buffer, first: number, count: number): Buffer {
    return this.#owner.own(buffer).view(first, count);
  }

  vector(values: Float32Array): ReferenceVector {
    this.#memory.weights += values.byteLength;
    return { owner: this.#owner, length: values.length, values: values.slice() };
  }

  buffer(rows: number, columns: number): Buffer {
    this.#memory.work += rows * columns * 4;
    return new ReferenceBuffer(this.#owner, rows, columns);
  }

  kvCache(shape: KvShape): KvCache {
    const cache = new ReferenceKvCache(shape, this.#owner);
    this.#memory.kvCache += cache.pageBytes * cache.pages + cache.slotBytes * cache.slots;
    return cache;
  }

  kvPageBytes(shape: Pick<KvShape, 'layers' | 'type'>): number {
    return pageBytesOf(shape.layers);
  }

  tokens(rows: number): ReferenceTokens {
    return { owner: this.#owner, rows, ids: new Int32Array(rows) };
  }

  ropeTable(spec: RopeSpec): RopeTable {
    return spec;
  }

  embed(out: Buffer, table: Matrix, ids: Int32Array | TokenBuffer): void {
    const [target, matrix] = [this.#owner.own(out), this.#owner.own(table)];
    const values = ids instanceof Int32Array ? ids : this.#owner.own(ids).ids;
    this.#record(() => {
      values.forEach((id, i) => {
        if (id < 0) target.row(i).fill(0);
        else target.row(i).set(matrix.decode(id));
      });
    });
  }

  sample(out: TokenBuffer, logits: Buffer, rows: readonly SampleRow[], mask?: Uint32Array): void {
    const [{ ids }, source] = [this.#owner.own(out), this.#owner.own(logits)];
    this.#record(() => this.#samplers.sample(ids, source.columns, row => source.row(row), rows, mask));
  }

  matmul(out: Buffer, matrix: Matrix, x: Buffer, rows: number, options: MatmulOptions = {}): void {
    checkProduct(out, matrix, x);
    const [target, own, source] = [this.#owner.own(out), this.#owner.own(matrix), this.#owner.own(x)];
    const bias = options.bias && this.#owner.own(options.bias).values;
    const { accumulate } = options;
    this.#record(() => multiply(target.first(rows), own, source.first(rows), { bias, accumulate }));
  }

  matmuls(products: readonly Product[], x: Buffer, rows: number): void {
    for (const { out, matrix, bias } of products) this.matmul(out, matrix, x, rows, { bias });
  }

  rmsNorm(out: Buffer, x: Buffer, weight: Vector, epsilon: number, rows: number, weights = 1): void {
    const [target, source] = [this.#owner.own(out), this.#owner.own(x)];
    const { values, length } = this.#owner.own(weight);
    const width = length / weights;
    const factors = groups(values, width);
    this.#record(() => {
      for (let i = 0; i < rows; i++) {
        const targets = groups(target.row(i), width);
        groups(source.row(i), width).forEach((group, g) => {
          rmsNorm(targets[g], group, factors[g % weights], epsilon);
        });
      }
    });
  }

  layerNorm(out: Buffer, x: Buffer, weight: Vector, bias: Vector, epsilon: number, rows: number): void {
    const [target, source] = [this.#owner.own(out), this.#owner.own(x)];
    const [factors, offsets] = [this.#owner.own(weight).values, this.#owner.own(bias).values];
    this.#record(() => {
      for (let i = 0; i < rows; i++) layerNorm(target.row(i), source.row(i), factors, offsets, epsilon);
    });
  }

  rope(x: Buffer, rope: RopeTable, positions: Int32Array, heads: number): void {
    const buffer = this.#owner.own(x);
    this.#record(() => {
      positions.forEach((position, i) => {
        for (const head of groups(buffer.row(i), buffer.columns / heads)) rotate(head, position, rope);
      });
    });
  }

  storeKv(cache: KvCache, layer: number, k: Buffer, v: Buffer, batch: BatchLayout): void {
    const [own, keys, values] = [this.#owner.own(cache), this.#owner.own(k), this.#owner.own(v)];
    this.#record(() => own.store(layer, keys.first(batch.tokens), values.first(batch.tokens), batch));
  }

  attention(
    out: Buffer,
    q: Buffer,
    cache: KvCache,
    layer: number,
    batch: BatchLayout,
    options: AttentionOptions,
  ): void {
    const [target, queries, own] = [this.#owner.own(out), this.#owner.own(q), this.#owner.own(cache)];
    const { headDim, kvHeads } = own.paged(layer);
    const sharing = options.heads / kvHeads;
    const { sinks, ...shape } = options;
    const values = sinks && this.#owner.own(sinks).values;
    this.#record(() => {
      for (const segment of batch.segments) {
        for (let head = 0; head < options.heads; head++) {
          const kv = own.head(layer, segment, Math.floor(head / sharing));
          for (let i = 0; i < segment.count; i++) {
            const part = (buffer: ReferenceBuffer) => groups(buffer.row(segment.start + i), headDim)[head];
            const reach = reachOf(segment, i, options);
            attend(part(target), part(queries), reach, kv, { ...shape, sink: values?.[head] });
          }
        }
      }
    });
  }

  storeLatent(cache: KvCache, layer: number, latent: Buffer, rotated: Buffer, batch: BatchLayout): void {
    const [own, latents, rest] = [this.#owner.own(cache), this.#owner.own(latent), this.#owner.own(rotated)];
    this.#record(() => own.storeLatent(layer, latents.first(batch.tokens), rest.first(batch.tokens), batch));
  }

  attendLatent(
    out: Buffer,
    queries: LatentQueries,
    cache: KvCache,
    layer: number,
    batch: BatchLayout,
    options: LatentOptions,
  ): void {
    const [target, own] = [this.#owner.own(out), this.#owner.own(cache)];
    const [latent, rotated] = [this.#owner.own(queries.latent), this.#owner.own(queries.rotated)];
    const { headDim, latentDim } = own.latent(layer);
    this.#record(() => {
      for (const segment of batch.segments) {
        const kv = own.latents(layer, segment);
        for (let i = 0; i < segment.count; i++) {
          const pieces = (buffer: ReferenceBuffer, width: number) => groups(buffer.row(segment.start + i), width);
          const rest = pieces(rotated, headDim - latentDim);
          const outs = pieces(target, latentDim);
          pieces(latent, latentDim).forEach((piece, head) => {
            const query = Float32Array.from([...piece, ...rest[head]]);
            attend(outs[head], query, reachOf(segment, i, options), kv, options);
          });
        }
      }
    });
  }

  headMatmul(out: Buffer, matrix: Matrix, x: Buffer, rows: number, heads: number): void {
    checkHeads(out, matrix, x, heads);
    const [target, own, source] = [this.#owner.own(out), this.#owner.own(matrix), this.#owner.own(x)];
    this.#record(() => multiplyHeads(target.first(rows), own, source.first(rows), heads));
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
    const linear = plain(x => x);
    const smooth = { silu: plain(silu), gelu: plain(gelu), sigmoid: plain(sigmoid), relu2: plain(relu2) };
    const activation = { ...smooth, linear, swiglu_oai: swigluOai }[kind];
    const [gated, upper] = [this.#owner.own(gate), this.#owner.own(up)];
    this.#each(out, rows, (row, i) => {
      const gates = gated.row(i);
      const ups = upper.row(i);
      for (let c = 0; c < row.length; c++) row[c] = activation(gates[c], ups[c]);
    });
  }

  activate(x: Buffer, kind: Activation, rows: number): void {
    this.#each(x, rows, row => {
      row.forEach((value, c) => {
        row[c] = activations[kind](value);
      });
    });
  }

  add(out: Buffer, x: Buffer, rows: number): void {
    const source = this.#owner.own(x);
    this.#each(out, rows, (row, i) => {
      source.row(i).forEach((value, c) => {
        row[c] = f(row[c] + value);
      });
    });
  }

  scale(x: Buffer, factor: number, rows: number): void {
    this.#each(x, rows, row => {
      row.forEach((value, c) => {
        row[c] = f(value * f(factor));
      });
    });
  }

  softcap(x: Buffer, cap: number, rows: number): void {
    const inverse = f(1 / f(cap));
    this.#each(x, rows, row => {
      row.forEach((value, c) => {
        row[c] = softcap(value, cap, inverse);
      });
    });
  }

  gather(out: Buffer, x: Buffer, rows: Int32Array): void {
    const [target, source] = [this.#owner.own(out), this.#owner.own(x)];
    this.#record(() => {
      rows.forEach((row, i) => {
        target.row(i).set(source.row(row));
      });
    });
  }

  routing(tokens: number, experts: number, topK: number): ReferenceRouting {
    const slots = () => new Int32Array(tokens * topK);
    const weights = new Float32Array(tokens * topK);
    const table = { slotOf: slots(), tokenOf: slots(), starts: new Int32Array(experts + 1) };
    return { owner: this.#owner, experts, topK, chosen: slots(), weights, ...table };
  }

  route(routing: Routing, logits: Buffer, rows: number, options: RouterOptions = {}): void {
    const { topK, chosen, weights, ...table } = this.#owner.own(routing);
    const source = this.#owner.own(logits);
    const values = (vector: Vector | undefined) => vector && this.#owner.own(vector).values;
    const router = { ...options, bias: values(options.bias), scales: values(options.scales) };
    this.#record(() => {
      source.first(rows).forEach((scores, row) => {
        const [from, to] = [row * topK, (row + 1) * topK];
        chooseExperts(scores, chosen.subarray(from, to), weights.subarray(from, to), router);
      });
      assignSlots(chosen.subarray(0, rows * topK), topK, table);
    });
  }

  expertMatmuls(products: readonly Product[], x: Buffer, from: 'tokens' | 'slots', routing: Routing): void {
    const [source, own] = [this.#owner.own(x), this.#owner.own(routing)];
    for (const { out, matrix, bias } of products) {
      const [target, weights] = [this.#owner.own(out), this.#owner.own(matrix)];
      const biases = bias && this.#owner.own(bias).values;
      this.#record(() => multiplyExperts(target, weights, source, from, own, biases));
    }
  }

  combine(out: Buffer, slots: Buffer, routing: Routing, rows: number): void {
    const { topK, slotOf, weights } = this.#owner.own(routing);
    const source = this.#owner.own(slots);
    this.#each(out, rows, (row, i) => {
      for (let choice = i * topK; choice < (i + 1) * topK; choice++) {
        const slot = source.row(slotOf[choice]);
        for (let c = 0; c < row.length; c++) row[c] = f(row[c] + f(weights[choice] * slot[c]));
      }
    });
  }

  copyPages(cache: KvCache, pairs: Int32Array): void {
    this.#copy(this.#owner.own(cache), 'page', pairs);
  }

  copySlots(cache: KvCache, pairs: Int32Array): void {
    this.#copy(this.#owner.own(cache), 'slot', pairs);
  }

  /** What was recorded before is run at once: a run that is preempted later leaves no copy out. */
  #copy(cache: ReferenceKvCache, unit: Unit, pairs: Int32Array): void {
    this.run();
    for (let i = 0; i < pairs.length; i += 2) cache.copy(unit, pairs[i], pairs[i + 1]);
  }

  run(preempt?: Preempt): RunOutcome {
    const recorded = this.#recorded.splice(0);
    for (const [i, operation] of recorded.entries()) {
      if (preempt?.()) return { kind: 'preempted', fraction: i / recorded.length };
      operation();
    }
    return done;
  }

  readTokens(tokens: TokenBuffer, count: number): Int32Array {
    return this.#owner.own(tokens).ids.subarray(0, count);
  }

  download(buffer: Buffer, rows: Int32Array, into: Float32Array): void {
    const own = this.#owner.own(buffer);
    rows.forEach((row, i) => void into.set(own.row(row), i * own.columns));
  }

  write(buffer: Buffer, row: number, values: Float32Array): void {
    this.#owner.own(buffer).row(row).set(values);
  }

  readPage(cache: KvCache, page: number, target: Uint8Array): void {
    this.#owner.own(cache).read('page', page, target);
  }

  writePage(cache: KvCache, page: number, source: Uint8Array): void {
    this.#owner.own(cache).write('page', page, source);
  }

  readSlot(cache: KvCache, slot: number, target: Uint8Array): void {
    this.#owner.own(cache).read('slot', slot, target);
  }

  writeSlot(cache: KvCache, slot: number, source: Uint8Array): void {
    this.#owner.own(cache).write('slot', slot, source);
  }

  memory(): MemoryStats {
    return { ...this.#memory };
  }

  async close(): Promise<void> {
    this.#recorded.length = 0;
    this.#owner.close();
  }

  #record(operation: () => void): void {
    this.#recorded.push(operation);
  }

  #each(out: Buffer, rows: number, operation: (row: Float32Array, index: number) => void): void {
    const target = this.#owner.own(out);
    this.#record(() => {
      target.first(rows).forEach(operation);
    });
  }
}
