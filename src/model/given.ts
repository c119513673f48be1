import type { Backend, Buffer } from '../backend/backend.ts';
import { RealmError } from '../errors.ts';
import type { Batch, GivenRows } from './types.ts';

/** Rows of a batch that come from the caller in the place of tokens' embeddings: what an image becomes, for example. */
export class Given {
  readonly #backend: Backend;
  readonly #rows: number;
  readonly #width: number;
  /** [rows, width]; made when the first row is given, as most models never see one. */
  #buffer: Buffer | undefined;

  constructor(backend: Backend, rows: number, width: number) {
    this.#backend = backend;
    this.#rows = rows;
    this.#width = width;
  }

  /** Hands the rows over, between runs. */
  write({ given, tokens }: Batch): void {
    if (!given) return;
    checkGiven(given, tokens, this.#width);
    this.#buffer ??= this.#backend.buffer(this.#rows, this.#width);
    for (const i of given.rows.keys())
      this.#backend.write(this.#buffer, i, given.values.subarray(i * this.#width, (i + 1) * this.#width));
  }

  /** Records that they stand where the batch says; what was looked up there is overwritten. */
  put({ given }: Batch, hidden: Buffer): void {
    if (!given || !this.#buffer) return;
    for (let first = 0; first < given.rows.length; ) {
      const count = runFrom(given.rows, first);
      const sources = Int32Array.from({ length: count }, (_, i) => first + i);
      this.#backend.gather(this.#backend.view(hidden, given.rows[first]!, count), this.#buffer, sources);
      first += count;
    }
  }
}

/** How many rows from `first` on follow each other in the batch. */
function runFrom(rows: Int32Array, first: number): number {
  let count = 1;
  while (rows[first + count] === rows[first]! + count) count++;
  return count;
}

function checkGiven({ rows, values }: GivenRows, tokens: number, width: number): void {
  const rising = rows.every((row, i) => row >= 0 && row < tokens && (i === 0 || row > rows[i - 1]!));
  if (rising && values.length === rows.length * width) return;
  const message = `${values.length} numbers for ${rows.length} rows of ${width} in a batch of ${tokens}, which must rise`;
  throw new RealmError('internal_error', message);
}
