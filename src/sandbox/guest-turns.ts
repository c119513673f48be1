import { platform } from '#platform';
import { SLICE_FUEL } from './limits.ts';

/** A guest that waits for its turn. */
export interface TurnWaiter {
  readonly tenant: string;
  /** It has used up a slice; else it has got an answer, or begins. */
  readonly spent: boolean;
  go(): void;
}

interface Line {
  /** Fuel, divided by the tenant's weight; who comes back has used no less than whoever had the last turn. */
  served: number;
  weight: number;
  readonly answered: TurnWaiter[];
  readonly spent: TurnWaiter[];
}

/** A guest goes on at once while nobody waits and messages were looked for so lately. */
const FRESH_MS = 1;
/** Tenants that are remembered while none of their guests waits. */
const MAX_LINES = 1000;

/**
 * Whose turn it is on the thread that all guests of a place share: the tenant's that has used least fuel, each tenant's
 * own in order, and of these first whoever has just got an answer. Between two turns messages are looked for.
 */
export class GuestTurns {
  readonly #lines = new Map<string, Line>();
  readonly #busy = new Set<Line>();
  /** What whoever had the last turn had used before it. */
  #last = 0;
  /** Before each turn, and once after the last. */
  readonly #beforeTurn: () => void;
  #waiting = 0;
  #scheduled = false;
  #polledAt = 0;

  constructor(beforeTurn: () => void) {
    this.#beforeTurn = beforeTurn;
  }

  /** Guests that wait. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Messages have been looked for. */
  polled(): void {
    this.#polledAt = performance.now();
  }

  /** Whether a guest that has got an answer need not wait. */
  get free(): boolean {
    return this.#waiting === 0 && performance.now() - this.#polledAt < FRESH_MS;
  }

  add(waiter: TurnWaiter): void {
    const line = this.#lineOf(waiter.tenant);
    if (!this.#busy.has(line)) this.#join(line);
    queueOf(line, waiter).push(waiter);
    this.#waiting++;
    this.#schedule();
  }

  /** Whoever is ended waits no longer. */
  remove(waiter: TurnWaiter): void {
    const line = this.#lineOf(waiter.tenant);
    const queue = queueOf(line, waiter);
    const at = queue.indexOf(waiter);
    if (at < 0) return;
    queue.splice(at, 1);
    this.#left(line);
  }

  /** The tenant's guests have used so much more. */
  charge(tenant: string, fuel: number, weight = 1): void {
    const line = this.#lineOf(tenant);
    line.served += fuel / weight;
    line.weight = weight;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    platform.later(() => this.#turn());
  }

  /** All that the guest computes in its turn is over when the next callback begins. */
  #turn(): void {
    this.#scheduled = false;
    this.#beforeTurn();
    const line = this.#least();
    const next = line?.answered.shift() ?? line?.spent.shift();
    if (!line || !next) return;
    this.#last = line.served;
    this.#left(line);
    this.#schedule();
    next.go();
  }

  #left(line: Line): void {
    this.#waiting--;
    if (line.answered.length + line.spent.length === 0) this.#busy.delete(line);
  }

  /** Absence earns nothing, and what was used while nobody else waited took nothing from anybody: it counts for a slice. */
  #join(line: Line): void {
    line.served = Math.min(Math.max(line.served, this.#last), this.#last + SLICE_FUEL / line.weight);
    this.#busy.add(line);
  }

  #least(): Line | undefined {
    let least: Line | undefined;
    for (const line of this.#busy) if (!least || line.served < least.served) least = line;
    return least;
  }

  #lineOf(tenant: string): Line {
    const known = this.#lines.get(tenant);
    if (known) return known;
    if (this.#lines.size >= MAX_LINES) this.#forget();
    const line: Line = { served: 0, weight: 1, answered: [], spent: [] };
    this.#lines.set(tenant, line);
    return line;
  }

  #forget(): void {
    for (const [tenant, line] of this.#lines) if (!this.#busy.has(line)) this.#lines.delete(tenant);
  }
}

const queueOf = (line: Line, { spent }: TurnWaiter) => (spent ? line.spent : line.answered);
