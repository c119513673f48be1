import { type EventBatch, isLast, type SequenceId } from '../request.ts';

/**
 * Puts what leaves an engine's thread into batches. Every message wakes the thread that serves the answers, whose code and data a machine
 * that computes with all its cores has long put out of its caches: some 0.4 ms of all of them, a tenth of a small model's
 * step. So tokens of quick steps go out together, at most `togetherMs` after the first of them was there. First tokens,
 * ends and the tokens of slow steps do not wait.
 */
export class EventBatcher {
  readonly #send: (events: EventBatch) => void;
  readonly #clock: () => number;
  readonly #togetherMs: number;
  /** Requests that have got a token. */
  readonly #begun = new Set<SequenceId>();
  #waiting: EventBatch[number][] = [];
  #since = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #last = Number.NEGATIVE_INFINITY;

  constructor(send: (events: EventBatch) => void, togetherMs = 40, clock: () => number = () => performance.now()) {
    this.#send = send;
    this.#togetherMs = togetherMs;
    this.#clock = clock;
  }

  put(events: EventBatch): void {
    const now = this.#clock();
    const slow = now - this.#last > this.#togetherMs / 2;
    this.#last = now;
    if (this.#waiting.length === 0) this.#since = now;
    this.#waiting.push(...events);
    let urgent = false;
    for (const event of events) urgent = this.#isUrgent(event) || urgent;
    if (slow || urgent) this.#flush();
    else {
      this.tick();
      if (this.#waiting.length > 0) this.#timer ??= setTimeout(() => this.#flush(), this.#togetherMs);
    }
  }

  /** Called now and then in a long step, in which no timer fires: sends what has waited long enough. */
  tick(): void {
    if (this.#waiting.length > 0 && this.#clock() - this.#since >= this.#togetherMs) this.#flush();
  }

  #isUrgent([id, event]: EventBatch[number]): boolean {
    if (event.kind === 'prompt') return false;
    if (isLast(event)) this.#begun.delete(id);
    else if (this.#begun.has(id)) return false;
    else this.#begun.add(id);
    return true;
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const events = this.#waiting;
    this.#waiting = [];
    this.#send(events);
  }
}
