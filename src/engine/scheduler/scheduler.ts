import type { Token } from '../../tokenizer/types.ts';
import type { BlockPool } from '../cache/block-pool.ts';
import type { PrefixCache } from '../cache/prefix-cache.ts';
import { nextMark } from '../cache/snapshot-marks.ts';
import { StateSlots } from '../cache/state-slots.ts';
import type { TenantShare } from '../request.ts';
import { isDecoding, isScored, pending, type Sequence } from '../sequence.ts';
import type { TenantLoad } from '../types.ts';
import { before, prices } from './fairness.ts';
import { PageAllocator } from './page-allocator.ts';
import type { PageCopy, Plan, Work } from './plan.ts';
import { copyOnWriteFork, type Fork, isPrefixComing } from './prefix-sharing.ts';
import type { SchedulerOptions } from './scheduler-options.ts';
import { StepRoom } from './step-room.ts';
import { type TenantQueue, youngest } from './tenant-queue.ts';
import { TenantQueues } from './tenant-queues.ts';
import { countTurns, isShort, nextPrompt } from './turns.ts';

/** Decoding rows of a step, drafted ones too, beyond which drafts cost others more than they bring. */
const draftedRows = 6;
/** A prompt's token whose row of logits is read costs a small model as much as two to three others: 1.5 to 1.9 ms more than 1.7. */
const scoredPrice = 3;

const sumOf = (values: Iterable<number>): number => Iterator.from(values).reduce((sum, value) => sum + value, 0);

/** How many tokens may be drafted, in all: of those that must come, which are hardly ever wrong, and of any. */
export interface DraftRoom {
  forced: number;
  guessed: number;
}

/**
 * Decides what runs in each step: every decoding sequence, then pieces of prompts, tenants in the order of
 * {@link Fairness}. Pure bookkeeping without clock, thread or model: `plan` reserves pages, the caller runs the work,
 * and only `commit` counts it as done.
 *
 * When pages or places run short, the youngest sequence of the tenant most above its quota is preempted and waits
 * again; its tokens stay and are computed anew later, so its answer is the same.
 */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #cache: PrefixCache;
  readonly #slots: StateSlots;
  readonly #queues: TenantQueues;
  readonly #pages: PageAllocator;
  #preemptions = 0;
  /** Tokens' worth of work that preemption lost since the last plan. */
  #lost = 0;
  /** The last plan was for one tenant's first prompt alone. */
  #wasUrgent = false;
  /** The plan in the making. */
  readonly #plan = new Map<Sequence, number>();
  #copies: PageCopy[] = [];

  /** `slots`: those of the cache; without any the model keeps no states. */
  constructor(options: SchedulerOptions, pool: BlockPool, cache: PrefixCache, slots = new StateSlots(0)) {
    this.#options = options;
    this.#cache = cache;
    this.#slots = slots;
    this.#queues = new TenantQueues(options);
    this.#pages = new PageAllocator(pool, cache, this.#queues, sequence => this.#preempt(sequence, false));
  }

  get running(): ReadonlySet<Sequence> {
    return this.#queues.running;
  }

  get waiting(): number {
    return this.#queues.waiting;
  }

  get preemptions(): number {
    return this.#preemptions;
  }

  /** Requests of the tenant that wait. */
  queued(tenant: string): number {
    return this.#queues.known(tenant)?.waiting.size ?? 0;
  }

  /** Of the tenants that have requests. */
  loads(): TenantLoad[] {
    return [...this.#queues.active].map(({ tenant, running, waiting }) => {
      return { tenant, running: running.size, waiting: waiting.size };
    });
  }

  /** Priced tokens that the tenant was served, divided by its weight. */
  served(tenant: string): number {
    return this.#queues.known(tenant)?.served ?? 0;
  }

  /** What falls to a tenant in sharing the engine. */
  shareOf(tenant: string): ReturnType<TenantQueues['shareOf']> {
    return this.#queues.shareOf(tenant);
  }

  setShare(tenant: string, share: TenantShare): void {
    this.#queues.setShare(tenant, share);
  }

  /** `others`: of the tenant's requests that have not come to the queue yet. */
  canSubmit(tenant: string, others = 0): boolean {
    return this.queued(tenant) + others < this.shareOf(tenant).maxWaiting;
  }

  /** Queues a sequence that fits the pool when it is alone; ask canSubmit first. */
  submit(sequence: Sequence): void {
    this.#queues.wait(sequence);
  }

  /** The next step; without work only when there is nothing to do. Copies hold even where their sequence was preempted again. */
  plan(): Plan {
    this.#plan.clear();
    this.#copies = [];
    this.#wasUrgent = this.#fillUrgent();
    if (!this.#wasUrgent) this.#fillAll();
    const work = [...this.#plan].map(([sequence, count]) => ({ sequence, count, draft: [] }));
    return { copies: this.#copies, slotCopies: this.#slots.takeCopies(), work };
  }

  /** Whether a step with this work is to be preempted: nobody wants it any more, or someone has come who goes before all that runs. */
  shouldPreempt(work: readonly Work[]): boolean {
    return this.#urgent() !== undefined || work.every(({ sequence }) => sequence.state !== 'running');
  }

  /** The step was preempted when `fraction` of its work was done. */
  preemptStep(work: readonly Work[], fraction: number): void {
    for (const { sequence } of work) this.trim(sequence);
    this.#lost = fraction * work.reduce((sum, { count, draft }) => sum + count + draft.length, 0);
  }

  #fillAll(): void {
    const running = [...this.#queues.running];
    let room = this.#options.maxBatchedTokens - running.length;
    for (const sequence of running) {
      if (sequence.state !== 'running' || !isDecoding(sequence)) continue;
      // What goes through the model again goes as a piece of a prompt where so many decode.
      if (sequence.again > room) sequence.again = 0;
      else if (this.#pages.grow(sequence)) {
        room -= sequence.again;
        this.#plan.set(sequence, pending(sequence));
      }
    }
    this.#fill(new Set([...this.#plan.keys()].map(sequence => this.#queues.of(sequence))));
  }

  /** What may be drafted in a step with this plan: drafts push nobody out and nobody waits for them. */
  roomForDrafts(work: readonly Work[]): DraftRoom {
    const { maxOutputs, maxBatchedTokens } = this.#options;
    const tokens = maxBatchedTokens - work.reduce((sum, { count }) => sum + count, 0);
    const outputs = maxOutputs - this.#scoredRows();
    const forced = Math.min(outputs - work.length, tokens);
    return { forced, guessed: Math.min(draftedRows - work.length, forced) };
  }

  /** Pages for `most` tokens behind the sequence's last one, as far as free ones reach. How many fit; {@link trim} frees them. */
  reserve(sequence: Sequence, most: number): number {
    return this.#pages.draft(sequence, most);
  }

  /**
   * The work was done: its keys and values are in their pages, and its states in their next slots. Where a draft was not all right
   * the state is not one of the sequence's: all its tokens in this work go through the model again with what comes next.
   */
  commit(work: readonly Work[], wrong: ReadonlySet<Sequence> = new Set()): void {
    this.#countTurns(work);
    for (const { sequence, count, draft } of work) {
      if (sequence.state !== 'running') continue;
      const { slots, computed } = sequence;
      if (slots && wrong.has(sequence)) {
        sequence.again = count;
        continue;
      }
      if (slots) {
        const { current, next } = slots;
        Object.assign(slots, { current: next, next: current, tokens: computed + count + draft.length });
      }
      sequence.again = 0;
      sequence.computed += count;
      this.#cache.register(sequence);
    }
  }

  #countTurns(work: readonly Work[]): void {
    if (work.every(({ sequence }) => isDecoding(sequence))) return;
    for (const [queue, own] of Map.groupBy(work, ({ sequence }) => this.#queues.of(sequence))) countTurns(queue, own);
  }

  /** The token that was just appended had been drafted: its keys and values are in their page already. */
  accept(sequence: Sequence): void {
    if (sequence.again > 0) return void sequence.again++;
    sequence.computed++;
    this.#cache.register(sequence);
  }

  /** A step's drafts are judged: pages that only the wrong ones needed are free again. */
  trim(sequence: Sequence): void {
    if (sequence.state === 'running') this.#pages.trim(sequence);
  }

  /** A running sequence got its next token. */
  append(sequence: Sequence, token: Token): void {
    sequence.tokens.push(token);
    sequence.charged = sequence.tokens.length;
    this.#queues.charge(this.#queues.of(sequence), 1, prices.output);
  }

  /** Takes a sequence out, whatever it is doing; `keep` leaves its computed pages in the prefix cache. */
  remove(sequence: Sequence, keep: boolean): void {
    if (sequence.state === 'running') this.#release(sequence, keep);
    this.#queues.remove(sequence);
  }

  /** Plans a step for the beginning of one prompt alone. Those who decode wait for it no longer than they would in a step with it. */
  #fillUrgent(): boolean {
    const queue = this.#urgent();
    const turns = { planned: this.#plan, mayBegin: () => true, maxBatchedTokens: this.#options.maxBatchedTokens };
    const sequence = nextPrompt(undefined, queue, turns);
    const lost = this.#lost;
    this.#lost = 0;
    if (!queue || !sequence || !this.#admit(queue, sequence)) return false;
    const { prefillChunk, maxBatchedTokens } = this.#options;
    this.#take(sequence, Math.min(prefillChunk, maxBatchedTokens, this.#outputsFor(sequence)));
    // Whose prompt preempted a step pays for what that cost.
    this.#queues.charge(queue, lost, prices.input);
    return true;
  }

  /**
   * The tenant that may have a step for itself: nothing of it runs, and it was served no more than any other. All that runs must
   * be of tenants that want more than they get or have more than their quota, or be a prompt so long that it hardly notices.
   * It never happens twice in a row, so that those go on in between.
   */
  #urgent(): TenantQueue | undefined {
    const queue = this.#wasUrgent ? undefined : this.#queues.next();
    if (!queue || queue.running.size > 0 || this.#queues.running.size === 0) return undefined;
    const shortest = queue.waiting.shortest()!;
    const yields = (sequence: Sequence): boolean => {
      const other = this.#queues.of(sequence);
      const greedy = other.waiting.size > 0 || other.running.size > this.#queues.places(other);
      return before(queue, other) && (greedy || isShort(shortest, sequence));
    };
    return [...this.#queues.running].every(yields) ? queue : undefined;
  }

  /** Spends the step's room for prompts on started ones and on new ones; the tenant that was served least comes first. */
  #fill(decoding: ReadonlySet<TenantQueue>): void {
    const { maxBatchedTokens } = this.#options;
    const room = new StepRoom(this.#options, sumOf(this.#plan.values()));
    const patient = new Set<TenantQueue>();
    let blocked = false;
    while (!room.full) {
      const coming = blocked ? undefined : this.#queues.next(patient);
      const mayBegin = (queue: TenantQueue): boolean => !blocked && !patient.has(queue);
      const sequence = nextPrompt(this.#startedQueue(), coming, { planned: this.#plan, mayBegin, maxBatchedTokens });
      if (!sequence || this.#fitting(sequence, room, decoding) === 0) return;
      if (sequence.state === 'waiting') {
        const queue = this.#queues.of(sequence);
        if (isPrefixComing(queue, sequence)) {
          patient.add(queue);
          continue;
        }
        // Nobody overtakes the tenant whose turn it is: otherwise large requests would starve.
        blocked = !this.#admit(queue, sequence);
        if (blocked) continue;
      }
      const position = sequence.computed;
      const price = isScored(sequence) ? scoredPrice : 1;
      room.take(position, price * this.#take(sequence, Math.max(1, this.#fitting(sequence, room, decoding))));
    }
  }

  /** Tokens of the prompt that fit. A tenant's only one, if it is short and the tenant was served less than all that decode, has larger pieces. */
  #fitting(sequence: Sequence, room: StepRoom, decoding: ReadonlySet<TenantQueue>): number {
    const queue = this.#queues.of(sequence);
    const only = queue.waiting.size + queue.running.size === 1;
    const first =
      only && pending(sequence) <= this.#options.maxBatchedTokens && [...decoding].every(other => before(queue, other));
    const fits = room.fits(sequence.computed, first);
    if (this.#options.wholeTexts) return pending(sequence) <= fits || this.#plan.size === 0 ? pending(sequence) : 0;
    return isScored(sequence) ? Math.min(Math.ceil(fits / scoredPrice), this.#outputsFor(sequence)) : fits;
  }

  /** Tokens of a prompt that there are rows of logits for: all that run have one each, and those that are scored share the rest. */
  #outputsFor(sequence: Sequence): number {
    if (!isScored(sequence)) return Number.POSITIVE_INFINITY;
    const { maxOutputs, maxRunning } = this.#options;
    return 1 + maxOutputs - maxRunning - this.#scoredRows();
  }

  /** Rows of logits in the plan beyond one for each sequence. */
  #scoredRows(): number {
    let rows = 0;
    for (const [sequence, count] of this.#plan) if (isScored(sequence)) rows += count - 1;
    return rows;
  }

  /** Puts at most so many of its tokens into the step. */
  #take(sequence: Sequence, most: number): number {
    const mark = this.#slots.total > 0 ? nextMark(sequence) - sequence.computed : Number.POSITIVE_INFINITY;
    const count = Math.min(most, mark, pending(sequence));
    this.#plan.set(sequence, count);
    this.#charge(sequence, sequence.computed + count);
    return count;
  }

  /** The tenant with started prompts that was served least. */
  #startedQueue(): TenantQueue | undefined {
    let next: TenantQueue | undefined;
    for (const sequence of this.#queues.running) {
      if (isDecoding(sequence) || this.#plan.has(sequence)) continue;
      const queue = this.#queues.of(sequence);
      if (!next || before(queue, next)) next = queue;
    }
    return next;
  }

  /** Charges what is computed for the first time; what the cache gave, and what is computed anew, is free. */
  #charge(sequence: Sequence, until: number): void {
    const from = Math.max(sequence.charged, sequence.computed);
    if (until <= from) return;
    this.#queues.charge(this.#queues.of(sequence), until - from, prices.input);
    sequence.charged = until;
  }

  /** Starts a request that waits, if there is a place and memory for it. */
  #admit(queue: TenantQueue, sequence: Sequence): boolean {
    const full = this.#queues.running.size >= this.#options.maxRunning;
    const holder = full ? this.#queues.aboveQuotaOfPlaces(queue) : undefined;
    if (full && !holder) return false;
    this.#cache.acquire(sequence);
    const keepsState = this.#slots.total > 0;
    const fork = this.#fork(queue, sequence);
    if (keepsState && !fork) this.#cache.keepToState(sequence);
    if (fork?.tail) this.#cache.take(sequence, fork.tail);
    sequence.computed = fork?.computed ?? sequence.computed;
    if (!this.#pages.admit(queue, sequence)) {
      this.#cache.release(sequence, true);
      return false;
    }
    const copy = sequence.pages[sequence.cached.length];
    if (fork?.page !== undefined && !fork.tail && copy !== undefined) this.#copies.push({ from: fork.page, to: copy });
    if (this.#queues.running.size >= this.#options.maxRunning) this.#preempt(youngest(holder!), true);
    if (keepsState) this.#cache.takeSlots(sequence, fork?.slot);
    this.#queues.start(sequence);
    return true;
  }

  /** In a copy of which page it goes on: one that another is writing to, or one of the cache's, whichever reaches further. */
  #fork(queue: TenantQueue, sequence: Sequence): Fork | undefined {
    const running = copyOnWriteFork(queue, sequence, this.#slots.total > 0);
    const cached = this.#cache.begun(sequence);
    return cached && cached.computed > (running?.computed ?? 0) ? cached : running;
  }

  /** It waits again; its tokens stay. */
  #preempt(sequence: Sequence, keep: boolean): void {
    this.#release(sequence, keep);
    this.#queues.requeue(sequence);
    this.#preemptions++;
  }

  /** What a running sequence holds. */
  #release(sequence: Sequence, keep: boolean): void {
    this.#plan.delete(sequence);
    this.#cache.release(sequence, keep);
  }
}
