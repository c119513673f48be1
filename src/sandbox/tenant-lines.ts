/** Whoever waits for a place to run in. */
export interface PlaceWaiter<P> {
  readonly tenant: string;
  /** So many runs of the tenant there may be at once. */
  readonly runs: number;
  take(place: P): void;
  refuse(error: Error): void;
}

interface Line<P> {
  readonly waiting: PlaceWaiter<P>[];
  running: number;
}

/** Tenants that wait for places: whoever has fewest runs goes next, each tenant's own in order. */
export class TenantLines<P> {
  readonly #lines = new Map<string, Line<P>>();

  get running(): number {
    return this.#sum(line => line.running);
  }

  get waiting(): number {
    return this.#sum(line => line.waiting.length);
  }

  /** Whether somebody waits who may have a place. */
  get hasNext(): boolean {
    return this.#next() !== undefined;
  }

  add(waiter: PlaceWaiter<P>): void {
    const line = this.#lines.get(waiter.tenant);
    if (line) line.waiting.push(waiter);
    else this.#lines.set(waiter.tenant, { waiting: [waiter], running: 0 });
  }

  /** Whose turn it is; counts as running from now on. */
  take(): PlaceWaiter<P> {
    const [tenant, line] = this.#next()!;
    line.running++;
    // Among equals those that have not had a turn for longest come first.
    this.#lines.delete(tenant);
    this.#lines.set(tenant, line);
    return line.waiting.shift()!;
  }

  /** A run of the tenant's is over. */
  ended(tenant: string): void {
    const line = this.#lines.get(tenant);
    if (!line) return;
    line.running--;
    this.#tidy(tenant, line);
  }

  remove(waiter: PlaceWaiter<P>): void {
    const line = this.#lines.get(waiter.tenant);
    const at = line?.waiting.indexOf(waiter) ?? -1;
    if (!line || at < 0) return;
    line.waiting.splice(at, 1);
    this.#tidy(waiter.tenant, line);
  }

  /** Nobody waits any more; who did. */
  clear(): PlaceWaiter<P>[] {
    return [...this.#lines.values()].flatMap(line => line.waiting.splice(0));
  }

  #next(): [string, Line<P>] | undefined {
    let next: [string, Line<P>] | undefined;
    for (const entry of this.#lines) {
      const [, { waiting, running }] = entry;
      if (waiting.length > 0 && running < waiting[0]!.runs && (!next || running < next[1].running)) next = entry;
    }
    return next;
  }

  #tidy(tenant: string, { waiting, running }: Line<P>): void {
    if (waiting.length === 0 && running === 0) this.#lines.delete(tenant);
  }

  #sum(of: (line: Line<P>) => number): number {
    let sum = 0;
    for (const line of this.#lines.values()) sum += of(line);
    return sum;
  }
}
