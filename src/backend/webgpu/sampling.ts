/**
 * Chooses tokens: the greatest on the device, others on the host from what the device finds likely. A row comes back whole only
 * where that leaves its token open. Both choose what the host chooses from the whole row.
 */
import { type SampleRow, unsampled } from '../backend.ts';
import { chooseFew } from '../sampling/few.ts';
import { Samplers } from '../sampling/sample-rows.ts';
import type { Context } from './context.ts';
import type { GpuTokens, GpuWorkBuffer } from './handles.ts';
import { choose, lanesOf } from './ops/choose.ts';
import { type ChoicePlan, fewOf, planOf, resultWordsOf } from './sampling-plan.ts';

/** What a step samples, and how. */
interface Choice {
  readonly out: GpuTokens;
  readonly logits: GpuWorkBuffer;
  readonly rows: readonly SampleRow[];
  readonly mask: Uint32Array | undefined;
  readonly plans: readonly ChoicePlan[];
  /** Words of work memory, one row's results behind the other's. */
  readonly results: { readonly at: number; readonly words: number };
}

export class Sampling {
  readonly #context: Context;
  readonly #lanes: number;
  readonly #samplers = new Samplers();
  /** The ids that are in a buffer, or will be, where the host has to do with them. */
  readonly #ids = new Map<GpuTokens, Promise<Int32Array>>();
  #results = { at: 0, words: 0 };

  /** `lanes`: of a workgroup that goes through a row. */
  constructor(context: Context, lanes: number = lanesOf(context.device)) {
    this.#context = context;
    this.#lanes = lanes;
  }

  tokens(rows: number): GpuTokens {
    const { work, owner } = this.#context;
    return { owner, rows, at: work.take(rows) };
  }

  /** Records the choice, see {@link Backend.sample}. */
  sample(out: GpuTokens, logits: GpuWorkBuffer, rows: readonly SampleRow[], mask?: Uint32Array): void {
    if (rows.length === 0) return;
    const { recorder } = this.#context;
    const plans = rows.map((row, i) => planOf(row, maskOf(i, row, logits.columns, mask), logits.columns));
    const words = plans.reduce((sum, plan) => sum + resultWordsOf(plan), 0);
    const results = { at: this.#room(words), words };
    let at = results.at;
    const told = plans.map((plan, i) => {
      const { changed, capacity, temperature } = plan;
      const allowed = plan.allowed ? recorder.table(plan.allowed) : this.#maskAt(i, rows[i]!, logits.columns, mask);
      const row = { mask: allowed, results: at, asked: changed.length > 0 ? recorder.table(changed) : 0 };
      at += resultWordsOf(plan);
      return { ...row, askedCount: changed.length, capacity, temperature };
    });
    choose(this.#context, out, logits, told, this.#lanes);
    this.#ids.delete(out);
    if (plans.every(({ kind }) => kind === 'device')) return;
    recorder.host(() => {
      const ids = this.#finish({ out, logits, rows, mask, plans, results });
      this.#ids.set(out, ids);
      return ids;
    });
  }

  /** The first `count` ids. Throws `engine_failed`. */
  async read(tokens: GpuTokens, count: number): Promise<Int32Array> {
    const ids = await this.#ids.get(tokens);
    if (ids) return ids.subarray(0, count);
    return this.#words([{ at: tokens.at, count }]);
  }

  /** Chooses on the host, and puts the ids where kernels find them. */
  async #finish(choice: Choice): Promise<Int32Array> {
    const { out, logits, rows, mask, plans, results } = choice;
    const words = await this.#words([{ at: results.at, count: results.words }]);
    const sampler = this.#samplers.of(logits.columns);
    const ids = new Int32Array(rows.length);
    const open: number[] = [];
    let at = 0;
    for (const [i, row] of rows.entries()) {
      const plan = plans[i]!;
      const end = at + resultWordsOf(plan);
      const found = words.subarray(at, end);
      at = end;
      // What is behind a wrong guess is not wanted; where the guess is open still, it may be.
      if (row.guessed && !open.includes(i - 1) && ids[i - 1] !== row.tokens[row.length - 1]) ids[i] = unsampled.leftOut;
      else if (plan.kind === 'device') ids[i] = found[1]!;
      else {
        const few = fewOf(plan, found, row, maskOf(i, row, logits.columns, mask), sampler);
        const id = few && chooseFew(few, row, row.spec);
        if (id === undefined) open.push(i);
        else ids[i] = id;
      }
    }
    if (open.length > 0) await this.#sampleWhole(choice, open, ids);
    this.#context.work.write(out.at, ids);
    return ids;
  }

  /** Brings rows back whole, and chooses from them. */
  async #sampleWhole({ logits, rows, mask }: Choice, open: readonly number[], ids: Int32Array): Promise<void> {
    const { at, stride, columns } = logits;
    const words = await this.#words(open.map(i => ({ at: at + i * stride, count: columns })));
    const values = new Float32Array(words.buffer);
    for (const [n, i] of open.entries()) {
      const row = rows[i]!;
      const whole = values.subarray(n * columns, (n + 1) * columns);
      ids[i] = this.#samplers.of(columns).sample(whole, row, row.spec, maskOf(i, row, columns, mask));
    }
  }

  async #words(parts: readonly { readonly at: number; readonly count: number }[]): Promise<Int32Array<ArrayBuffer>> {
    const { readback, work } = this.#context;
    const buffer = work.buffer();
    const bytes = await readback.read(parts.map(({ at, count }) => ({ buffer, at: at * 4, bytes: count * 4 })));
    return new Int32Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength / 4);
  }

  #maskAt(i: number, { unmasked }: SampleRow, columns: number, mask: Uint32Array | undefined): number {
    return !mask || unmasked ? -1 : this.#context.recorder.table(mask) + i * Math.ceil(columns / 32);
  }

  /** Place for the results of a step; the next step's are put there too. */
  #room(words: number): number {
    if (words > this.#results.words) {
      const more = 2 ** Math.ceil(Math.log2(words));
      this.#results = { at: this.#context.work.take(more), words: more };
    }
    return this.#results.at;
  }
}

/** The mask of row i, where it bans anything. */
function maskOf(i: number, { unmasked }: SampleRow, columns: number, mask: Uint32Array | undefined) {
  const words = Math.ceil(columns / 32);
  return unmasked ? undefined : mask?.subarray(i * words, (i + 1) * words);
}
