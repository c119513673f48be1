import type { Backend, Buffer, Matrix, Routing } from '../backend/backend.ts';
import type { LoadedAdapter, LowRank } from './adapter.ts';
import type { Step } from './decoder.ts';
import type { Loading } from './loading.ts';
import type { AdaptedRun } from './project.ts';

interface Sizes {
  /** Experts that a token takes. */
  readonly topK: number;
  /** Of what experts take and give, and of their networks. */
  readonly width: number;
  readonly inner: number;
}

/** Room for what adapters add to experts. */
interface Room {
  /** What an adapter's tokens give their experts and get of them, zeros in the rows of others: [tokens, width]. */
  readonly input: Buffer;
  readonly sum: Buffer;
  /** [slots, inner], [slots, width] */
  readonly inner: Buffer;
  readonly output: Buffer;
  /** [1, width] */
  readonly zeros: Buffer;
}

/**
 * What adapters add to the products of experts: b * (a * x), with factors for each expert. The slots of one adapter's tokens lie among
 * those of others, as the router has it; so all go through an adapter's factors, with zeros where a token is another's.
 */
export class ExpertAdapters {
  readonly #backend: Backend;
  readonly #tokens: number;
  readonly #sizes: Sizes;
  #room: Room | undefined;
  /** By rank: [slots, rank]. */
  readonly #low = new Map<number, Buffer>();

  constructor({ backend, options }: Loading, sizes: Sizes) {
    this.#backend = backend;
    this.#tokens = options.maxBatchTokens;
    this.#sizes = sizes;
  }

  /** Makes room for adapters of this rank, before the first of them runs. Throws `out_of_memory`. */
  reserve(rank: number): void {
    this.#room ??= this.#makeRoom();
    if (!this.#low.has(rank)) this.#low.set(rank, this.#backend.buffer(this.#tokens * this.#sizes.topK, rank));
  }

  #makeRoom(): Room {
    const [backend, tokens, { topK, width, inner }] = [this.#backend, this.#tokens, this.#sizes];
    const zeros = backend.buffer(1, width);
    backend.write(zeros, 0, new Float32Array(width));
    return {
      input: backend.buffer(tokens, width),
      sum: backend.buffer(tokens, width),
      inner: backend.buffer(tokens * topK, inner),
      output: backend.buffer(tokens * topK, width),
      zeros,
    };
  }

  /** out[slot] += what adapters add to the experts' products with their tokens' rows of `x`. */
  addToSlots(step: Step, products: readonly { out: Buffer; matrix: Matrix }[], x: Buffer, routing: Routing): void {
    for (const [adapter, runs] of runsByAdapter(step.rows.runs)) {
      const parts = products.flatMap(({ out, matrix }) => {
        const pair = adapter.pairs.get(matrix);
        return pair ? [{ out, pair }] : [];
      });
      if (parts.length === 0 || !this.#room) continue;
      const input = this.#masked(step, this.#room, x, runs);
      for (const { out, pair } of parts) {
        this.#multiply(step, pair, { x: input, from: 'tokens', out: this.#room.inner }, routing);
        step.backend.add(out, this.#room.inner, step.batch.tokens * this.#sizes.topK);
      }
    }
  }

  /** out[token] += what adapters add to its experts' products with their slots' rows of `x`, weighted. */
  addToTokens(step: Step, out: Buffer, matrix: Matrix, x: Buffer, routing: Routing): void {
    const { backend, batch } = step;
    for (const [adapter, runs] of runsByAdapter(step.rows.runs)) {
      const pair = adapter.pairs.get(matrix);
      if (!pair || !this.#room) continue;
      const { sum, zeros, output } = this.#room;
      this.#multiply(step, pair, { x, from: 'slots', out: output }, routing);
      backend.gather(sum, zeros, new Int32Array(batch.tokens));
      backend.combine(sum, output, routing, batch.tokens);
      for (const { start, count } of runs)
        backend.add(backend.view(out, start, count), backend.view(sum, start, count), count);
    }
  }

  /** Rows of `x` in the runs, zeros elsewhere. */
  #masked({ backend, batch }: Step, { input, zeros }: Room, x: Buffer, runs: readonly AdaptedRun[]): Buffer {
    backend.gather(input, zeros, new Int32Array(batch.tokens));
    for (const { start, count } of runs) {
      const rows = Int32Array.from({ length: count }, (_, i) => start + i);
      backend.gather(backend.view(input, start, count), x, rows);
    }
    return input;
  }

  #multiply(
    { backend, batch }: Step,
    { a, b, rank }: LowRank,
    { x, from, out }: { x: Buffer; from: 'tokens' | 'slots'; out: Buffer },
    routing: Routing,
  ): void {
    const low = this.#low.get(rank)!;
    backend.expertMatmuls([{ out: low, matrix: a }], x, from, routing, batch.tokens);
    backend.expertMatmuls([{ out, matrix: b }], low, 'slots', routing, batch.tokens);
  }
}

const runsByAdapter = (runs: readonly AdaptedRun[]): Iterable<[LoadedAdapter, AdaptedRun[]]> =>
  runs.length === 0 ? [] : Map.groupBy(runs, ({ adapter }) => adapter);
