import { Heap } from './heap.ts';

/** What one tenant has been served, in priced tokens divided by its weight. */
export interface Account {
  readonly tenant: string;
  readonly weight: number;
  /** Virtual token counter. */
  served: number;
  /** Its turn among equals: the lower goes first. */
  since: number;
  /** Running sequences: among equals, who has fewer goes first. */
  readonly running: { readonly size: number };
}

/** Prices of a prompt token and of a token of the answer, as in the paper. */
export const prices = { input: 1, output: 2 } as const;

/**
 * Virtual token counters ("Fairness in Serving Large Language Models", arXiv:2401.00588): whoever waits and has been
 * served least goes next. A tenant that comes back is lifted to the least served of those that wait, so absence earns
 * nothing; nobody is refused, and no turn is left unused. While two tenants wait, their counters differ by no more
 * than twice what the running batch can add to one.
 */
export class Fairness<A extends Account> {
  readonly #waiting = new Heap<A>(before);
  /** Counter of whoever was the last to wait. */
  #last = 0;
  #joined = 0;

  /** The tenant whose turn it is, when `except` are passed over. */
  next(except?: ReadonlySet<A>): A | undefined {
    const first = this.#waiting.first();
    if (!first || !except?.has(first)) return first;
    const others = [...this.#waiting.values()].filter(account => !except.has(account));
    return others.reduce<A | undefined>((a, b) => (a && before(a, b) ? a : b), undefined);
  }

  /** The tenant begins to wait. */
  join(account: A): void {
    if (this.#waiting.has(account)) return;
    account.served = Math.max(account.served, this.next()?.served ?? this.#last);
    account.since = this.#joined++;
    this.#waiting.add(account);
  }

  /** The tenant has nothing waiting any more. */
  leave(account: A): void {
    this.#waiting.remove(account);
    this.#last = account.served;
  }

  charge(account: A, tokens: number, price: number): void {
    account.served += (tokens * price) / account.weight;
    this.update(account);
  }

  /** Call after the tenant's number of running sequences has changed. */
  update(account: A): void {
    this.#waiting.update(account);
  }
}

/** Whether `a` has its turn before `b`. */
export function before(a: Account, b: Account): boolean {
  if (a.served !== b.served) return a.served < b.served;
  const [aRunning, bRunning] = [a.running.size / a.weight, b.running.size / b.weight];
  return aRunning !== bRunning ? aRunning < bRunning : a.since < b.since;
}
