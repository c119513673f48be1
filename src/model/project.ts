import type { Backend, Buffer } from '../backend/backend.ts';
import { RealmError } from '../errors.ts';
import type { LoadedAdapter } from './adapter.ts';
import type { Linear } from './tensors.ts';
import type { Batch } from './types.ts';

/** Rows of a work buffer, and which of them belong to sequences with an adapter. */
export interface Rows {
  readonly count: number;
  readonly runs: readonly AdaptedRun[];
}

/** Consecutive rows of one adapter. */
export interface AdaptedRun {
  readonly adapter: LoadedAdapter;
  readonly start: number;
  readonly count: number;
}

/** What a product needs of its step. */
interface Projecting {
  readonly backend: Backend;
  /** The batch's tokens. */
  readonly rows: Rows;
  readonly low: LowRankBuffers;
}

/** Most matrices that are multiplied with one input: queries, keys, values and a gate. */
const mostProducts = 4;

/**
 * out = linear * x, or out += linear * x, for matrices with the same input, with what each row's adapter adds to it:
 * b * (a * x), rows of one adapter at once. Every matrix of a layer is multiplied here, so adapters may change any.
 */
export function project(
  step: Projecting,
  products: readonly (Linear & { readonly out: Buffer })[],
  x: Buffer,
  { accumulate = false, rows = step.rows }: { accumulate?: boolean; rows?: Rows } = {},
): void {
  const { backend } = step;
  if (!accumulate) {
    backend.matmuls(products, x, rows.count);
    for (const { out, scale } of products) if (scale !== undefined) backend.scale(out, scale, rows.count);
  }
  // See addProduct in layers.ts: these have no scale.
  else for (const { out, matrix, bias } of products) backend.matmul(out, matrix, x, rows.count, { bias, accumulate });
  for (const run of rows.runs) adapt(step, products, x, run);
}

function adapt(
  { backend, low }: Projecting,
  products: readonly (Linear & { readonly out: Buffer })[],
  x: Buffer,
  { adapter, start, count }: AdaptedRun,
): void {
  const parts = products.flatMap(({ out, matrix }, i) => {
    const pair = adapter.pairs.get(matrix);
    return pair ? [{ target: out, pair, out: low.of(pair.rank, i), matrix: pair.a }] : [];
  });
  if (parts.length === 0) return;
  backend.matmuls(parts, backend.view(x, start, count), count);
  for (const { target, pair, out } of parts)
    backend.matmul(backend.view(target, start, count), pair.b, out, count, { accumulate: true });
}

/** Adds what adapters change in the embeddings of tokens. */
export function adaptEmbeddings({ backend, rows, low }: Projecting, hidden: Buffer, ids: Int32Array): void {
  for (const { adapter, start, count } of rows.runs) {
    const pair = adapter.embeddings;
    if (!pair) continue;
    const out = low.of(pair.rank, 0);
    backend.embed(out, pair.a, ids.subarray(start, start + count));
    backend.matmul(backend.view(hidden, start, count), pair.b, out, count, { accumulate: true });
  }
}

/** The runs among a batch's tokens: neighbouring segments of one adapter are one run. */
export function tokenRows({ tokens, segments }: Batch): Rows {
  const rows = segments.flatMap(({ adapter, start, count }) => (adapter ? [{ adapter, start, count }] : []));
  return { count: tokens, runs: joined(rows) };
}

/** The runs among the rows of a batch whose logits are wanted. */
export function outputRows({ outputs, segments }: Batch): Rows {
  const rows = Array.from(outputs, (row, start) => {
    const segment = segments.find(each => row >= each.start && row < each.start + each.count);
    return { adapter: segment?.adapter, start, count: 1 };
  });
  return { count: outputs.length, runs: joined(rows.filter(row => row.adapter)) };
}

function joined(rows: readonly { adapter?: unknown; start: number; count: number }[]): AdaptedRun[] {
  const runs: { adapter: LoadedAdapter; start: number; count: number }[] = [];
  for (const { adapter, start, count } of rows) {
    const last = runs.at(-1);
    if (last?.adapter === adapter && last!.start + last!.count === start) last!.count += count;
    else runs.push({ adapter: adapter as LoadedAdapter, start, count });
  }
  return runs;
}

/** Work buffers for a * x, by the rank, which is a power of two: adapters share them. */
export class LowRankBuffers {
  readonly #backend: Backend;
  readonly #rows: number;
  readonly #buffers = new Map<number, readonly Buffer[]>();

  constructor(backend: Backend, rows: number) {
    this.#backend = backend;
    this.#rows = rows;
  }

  /** The buffer for product number `product` of an input, [rows, rank]. */
  of(rank: number, product: number): Buffer {
    const buffer = this.reserve(rank)[product];
    if (!buffer) throw new RealmError('internal_error', `more than ${mostProducts} products of one input`);
    return buffer;
  }

  /** The buffers of a rank. Throws `out_of_memory` where there is no room for them. */
  reserve(rank: number): readonly Buffer[] {
    const known = this.#buffers.get(rank);
    if (known) return known;
    const buffers = Array.from({ length: mostProducts }, () => this.#backend.buffer(this.#rows, rank));
    this.#buffers.set(rank, buffers);
    return buffers;
  }
}
