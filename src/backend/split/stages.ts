/** A step as stages: what one side does until the other goes on with what it made. */
import { type Backend, done, type MaybePromise, type Preempt, type RunOutcome } from '../backend.ts';
import { type Both, bitOf, bothBits, holds, missing, type Use, type Whole, written } from './handles.ts';
import type { Side } from './placement.ts';

interface Operation {
  readonly work: (backend: Backend) => void;
  /** It is done even where the run is preempted. */
  readonly always: boolean;
}

/** Something that a stage needs of the other side, before it begins. */
interface Transfer {
  run(): MaybePromise<void>;
  /** The run ended before it: the side has not got it. */
  undo?(): void;
}

interface Stage {
  readonly side: Side;
  readonly transfers: Transfer[];
  readonly operations: Operation[];
}

export const other = (side: Side): Side => (side === 0 ? 1 : 0);

export class Stages {
  readonly #sides: Both<Backend>;
  #stages: Stage[] = [];
  /** Rows on their way; it grows. */
  #rows = new Float32Array(0);

  constructor(sides: Both<Backend>) {
    this.#sides = sides;
  }

  /** Where what is read is: on the side that is at work, if it has all of it. */
  where(reads: readonly Use[]): Side {
    const current = this.#stages.at(-1)?.side ?? 0;
    for (const side of [current, other(current)]) if (reads.every(use => holds(use, side))) return side;
    return reads[0] && holds(reads[0], other(current)) ? other(current) : current;
  }

  /** Records an operation of a side. What it reads and the side has not is brought over. */
  record(side: Side, reads: readonly Use[], writes: readonly Use[], work: (backend: Backend) => void): void {
    const absent = reads.filter(use => !holds(use, side));
    const stage = this.#stageOf(side, absent.length > 0);
    for (const use of absent) stage.transfers.push(this.#transfer(use, side));
    for (const use of writes) written(use, side);
    stage.operations.push({ work, always: false });
  }

  /** Records an operation that needs something of the other side that is no buffer: `fetch` brings it. */
  recordAfter(side: Side, fetch: () => MaybePromise<void>, writes: readonly Use[], work: (to: Backend) => void): void {
    this.#stageOf(side, true).transfers.push({ run: fetch });
    this.record(side, [], writes, work);
  }

  /** Records what is done even where the run is preempted. */
  recordAlways(side: Side, work: (backend: Backend) => void): void {
    this.#stageOf(side, false).operations.push({ work, always: true });
  }

  clear(): void {
    this.#stages = [];
  }

  /** Runs one stage after the other; asks between them and in them whether to stop. */
  async run(preempt?: Preempt): Promise<RunOutcome> {
    const left = this.#stages;
    this.clear();
    const total = left.reduce((sum, { operations }) => sum + operations.length, 0);
    let finished = 0;
    try {
      while (left.length > 0) {
        if (finished > 0 && preempt?.()) break;
        const { side, transfers, operations } = left[0]!;
        for (const transfer of transfers) await transfer.run();
        left.shift();
        const fraction = await this.#perform(side, operations, preempt);
        finished += fraction * operations.length;
        if (fraction < 1) break;
      }
      for (const { side, operations } of left) {
        const always = operations.filter(operation => operation.always);
        if (always.length > 0) await this.#perform(side, always);
      }
    } finally {
      for (const { transfers } of left) for (const transfer of transfers) transfer.undo?.();
    }
    return finished === total ? done : { kind: 'preempted', fraction: finished / total };
  }

  async #perform(side: Side, operations: readonly Operation[], preempt?: Preempt): Promise<number> {
    const backend = this.#sides[side];
    for (const { work } of operations) work(backend);
    const outcome = await backend.run(preempt);
    return outcome.kind === 'done' ? 1 : outcome.fraction;
  }

  /**
   * The stage that a side's next operation belongs to. The last one may be the other's and have nothing of this side: then it does
   * not matter which of the two is first, and the operation joins the one before.
   */
  #stageOf(side: Side, waits: boolean): Stage {
    const last = this.#stages.at(-1);
    if (last?.side === side) return last;
    const before = this.#stages.at(-2);
    if (before && !waits && last?.transfers.length === 0) return before;
    const stage: Stage = { side, transfers: [], operations: [] };
    this.#stages.push(stage);
    return stage;
  }

  /** The rows count as brought over from now on. */
  #transfer(use: Use, to: Side): Transfer {
    const { whole } = use[0];
    const rows = missing(use, to);
    for (const row of rows) whole.held[row] = bothBits;
    return {
      run: () => this.#move(whole, rows, to),
      undo() {
        for (const row of rows) if (whole.held[row] === bothBits) whole.held[row] = bitOf(other(to));
      },
    };
  }

  async #move({ on, columns }: Whole, rows: Int32Array, to: Side): Promise<void> {
    const size = rows.length * columns;
    if (this.#rows.length < size) this.#rows = new Float32Array(size);
    await this.#sides[other(to)].download(on[other(to)], rows, this.#rows);
    for (const [i, row] of rows.entries())
      this.#sides[to].write(on[to], row, this.#rows.subarray(i * columns, (i + 1) * columns));
  }
}
