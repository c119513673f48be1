import type { TenantShare } from '../request.ts';
import type { Sequence } from '../sequence.ts';
import { Fairness } from './fairness.ts';
import type { SchedulerOptions } from './scheduler-options.ts';
import { createTenantQueue, pagesOf, type TenantQueue } from './tenant-queue.ts';

type Options = Pick<SchedulerOptions, 'maxRunning' | 'maxWaiting' | 'maxWaitingOf' | 'weights'>;

/** The queues of all tenants: which sequences wait and run, whose turn it is, and what falls to each that has requests. */
export class TenantQueues {
  readonly #options: Options;
  readonly #fairness = new Fairness<TenantQueue>();
  readonly #queues = new Map<string, TenantQueue>();
  readonly #running = new Set<Sequence>();
  #waiting = 0;
  /** Queues with requests, and the sum of their weights. */
  readonly #active = new Set<TenantQueue>();
  #activeWeight = 0;
  /** What requests have said. */
  readonly #shares = new Map<string, TenantShare>();

  constructor(options: Options) {
    this.#options = options;
  }

  /** The sequences of all tenants that run. */
  get running(): ReadonlySet<Sequence> {
    return this.#running;
  }

  /** How many sequences of all tenants wait. */
  get waiting(): number {
    return this.#waiting;
  }

  /** What falls to a tenant: as its last request said, or the options. */
  shareOf(tenant: string): { readonly weight: number; readonly maxWaiting: number } {
    const { weights, maxWaitingOf, maxWaiting } = this.#options;
    const said = this.#shares.get(tenant);
    if (said) return { weight: said.weight ?? 1, maxWaiting: said.maxWaiting ?? maxWaiting };
    return { weight: weights?.get(tenant) ?? 1, maxWaiting: maxWaitingOf?.get(tenant) ?? maxWaiting };
  }

  setShare(tenant: string, share: TenantShare): void {
    this.#shares.set(tenant, share);
    const queue = this.known(tenant);
    const { weight = 1 } = share;
    if (!queue || queue.weight === weight) return;
    if (this.#active.has(queue)) this.#activeWeight += weight - queue.weight;
    queue.weight = weight;
    this.#fairness.update(queue);
  }

  /** Those of tenants that have requests. */
  get active(): ReadonlySet<TenantQueue> {
    return this.#active;
  }

  known(tenant: string): TenantQueue | undefined {
    return this.#queues.get(tenant);
  }

  of({ tenant }: Sequence): TenantQueue {
    const known = this.known(tenant);
    if (known) return known;
    const queue = createTenantQueue(tenant, this.shareOf(tenant).weight);
    this.#queues.set(tenant, queue);
    return queue;
  }

  /** Whose turn it is of those that wait, when `except` are passed over. */
  next(except?: ReadonlySet<TenantQueue>): TenantQueue | undefined {
    return this.#fairness.next(except);
  }

  charge(queue: TenantQueue, tokens: number, price: number): void {
    this.#fairness.charge(queue, tokens, price);
  }

  wait(sequence: Sequence): void {
    const queue = this.of(sequence);
    sequence.state = 'waiting';
    queue.waiting.add(sequence);
    this.#waiting++;
    this.#fairness.join(queue);
    this.#settle(queue);
  }

  /** One that waits runs. */
  start(sequence: Sequence): void {
    const queue = this.of(sequence);
    this.#unwait(queue, sequence);
    sequence.state = 'running';
    sequence.cachedTokens ??= sequence.computed;
    this.#running.add(sequence);
    queue.running.add(sequence);
    this.#settle(queue);
  }

  /** One that runs waits again. */
  requeue(sequence: Sequence): void {
    this.#stop(this.of(sequence), sequence);
    this.wait(sequence);
  }

  /** Takes a sequence out, whatever it is doing. */
  remove(sequence: Sequence): void {
    const queue = this.of(sequence);
    if (sequence.state === 'waiting') this.#unwait(queue, sequence);
    if (sequence.state === 'running') this.#stop(queue, sequence);
    sequence.state = 'gone';
    this.#settle(queue);
  }

  /** How much of `amount` a queue's tenant may have: the tenants that have requests share it by their weights. */
  quota(queue: TenantQueue, amount: number): number {
    return (amount * queue.weight) / this.#activeWeight;
  }

  /** How many running sequences the queue's tenant may have. */
  places(queue: TenantQueue): number {
    return Math.max(1, this.quota(queue, this.#options.maxRunning));
  }

  /** The tenant that has to give a place to the queue's, if that one may ask for one. */
  aboveQuotaOfPlaces(queue: TenantQueue): TenantQueue | undefined {
    if (queue.running.size + 1 > this.places(queue)) return undefined;
    const holder = this.#greatest(of => of.running.size / of.weight);
    return holder && holder.running.size > this.places(holder) ? holder : undefined;
  }

  /** The tenant with the most pages for its weight. */
  mostPages(): TenantQueue | undefined {
    return this.#greatest(queue => pagesOf(queue) / queue.weight);
  }

  /** The tenant with running sequences that has the most of something. */
  #greatest(of: (queue: TenantQueue) => number): TenantQueue | undefined {
    const queues = new Set([...this.#running].map(sequence => this.of(sequence)));
    return [...queues].reduce<TenantQueue | undefined>((a, b) => (a && of(a) >= of(b) ? a : b), undefined);
  }

  #stop(queue: TenantQueue, sequence: Sequence): void {
    this.#running.delete(sequence);
    queue.running.delete(sequence);
  }

  #unwait(queue: TenantQueue, sequence: Sequence): void {
    queue.waiting.remove(sequence);
    this.#waiting--;
    if (queue.waiting.size === 0) this.#fairness.leave(queue);
  }

  /** Call after the queue's requests have changed. */
  #settle(queue: TenantQueue): void {
    this.#fairness.update(queue);
    const active = queue.waiting.size + queue.running.size > 0;
    if (active === this.#active.has(queue)) return;
    if (active) this.#active.add(queue);
    else this.#active.delete(queue);
    // Starting from 0 again when nobody is left keeps rounding from adding up.
    this.#activeWeight = this.#active.size === 0 ? 0 : this.#activeWeight + (active ? queue.weight : -queue.weight);
  }
}
