import { RealmError } from '../../errors.ts';
import { type Account, Fairness } from './fairness.ts';

/** Whose work it is. */
export interface Owner {
  readonly id: string;
  /** Its share beside others that want it too; absent: 1. */
  readonly weight?: number | undefined;
  /** Pieces of work that may wait; absent: 1024. */
  readonly maxQueued?: number | undefined;
}

export interface Work {
  readonly owner: Owner;
  /** What it holds while it waits, about. */
  readonly bytes: number;
}

interface Line<W> extends Account {
  readonly waiting: Set<W>;
  bytes: number;
}

const maxQueued = 1024;
/** Of one tenant's waiting work. */
const maxBytes = 64 * 2 ** 20;
/** How far behind the others short work may put a tenant. */
const mostDebtMs = 500;
const nobody = { size: 0 };

/** Work of several tenants for one worker: whoever has had least of its time goes next, each tenant's own in order. */
export class WorkTurns<W extends Work> {
  readonly #what: string;
  readonly #lines = new Map<string, Line<W>>();
  readonly #fairness = new Fairness<Line<W>>();
  #waiting = 0;

  /** `what` the work is about, in the refusal of more. */
  constructor(what: string) {
    this.#what = what;
  }

  get size(): number {
    return this.#waiting;
  }

  /** Throws `queue_full`. */
  add(work: W): void {
    const { owner, bytes } = work;
    const line = this.#lineOf(owner);
    // One that is too large for the bound waits alone.
    const full =
      line.waiting.size >= (owner.maxQueued ?? maxQueued) || (line.bytes > 0 && line.bytes + bytes > maxBytes);
    if (full) {
      const message = `${line.waiting.size} ${this.#what} of this tenant are waiting already: try again in 1 s`;
      throw new RealmError('queue_full', message, { retryAfter: 1 });
    }
    if (line.waiting.size === 0) this.#forgive(line);
    line.waiting.add(work);
    line.bytes += bytes;
    this.#waiting++;
    this.#fairness.join(line);
  }

  /** Whose turn it is; it stays until it is removed. */
  next(): W | undefined {
    const [first] = this.#fairness.next()?.waiting ?? [];
    return first;
  }

  remove(work: W): void {
    const line = this.#lineOf(work.owner);
    if (!line.waiting.delete(work)) return;
    line.bytes -= work.bytes;
    this.#waiting--;
    if (line.waiting.size === 0) this.#fairness.leave(line);
  }

  /** All that waits, in no particular order of tenants. */
  values(): W[] {
    return [...this.#lines.values()].flatMap(line => [...line.waiting]);
  }

  /** The tenant has been served for so long, here or elsewhere. */
  charge(owner: Owner, ms: number): void {
    this.#fairness.charge(this.#lineOf(owner), ms, 1);
  }

  /** Short work is charged while nobody waits as well, when it takes nothing from anybody: it counts up to a bound. */
  #forgive(line: Line<W>): void {
    const least = this.#fairness.next()?.served ?? line.served;
    line.served = Math.min(line.served, least + mostDebtMs);
  }

  #lineOf({ id, weight = 1 }: Owner): Line<W> {
    const known = this.#lines.get(id);
    if (known) return known;
    const line = { tenant: id, weight, served: 0, since: 0, running: nobody, waiting: new Set<W>(), bytes: 0 };
    this.#lines.set(id, line);
    return line;
  }
}
