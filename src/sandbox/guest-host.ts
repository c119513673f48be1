import { RealmError } from '../errors.ts';
import { COMPILE_MS, MAX_UNHANDLED, QUERIES_PER_SECOND, QUERY_BURST } from './limits.ts';
import type { FromGuest, FromGuestBatch, ToGuest } from './messages.ts';

/** Why the place where programs run ended while it had runs. */
export interface Loss {
  readonly kind: 'hung' | 'out_of_memory' | 'died' | 'closed';
  readonly message: string;
  /** The run whose turn it was, when it hung. */
  readonly run?: number;
}

/** A run as the place where it runs sees it. */
export interface HostedRun {
  readonly sliceMs: number;
  receive(message: FromGuest): void;
  lost(loss: Loss): void;
}

/** A thread or a process, started. */
export interface GuestTransport {
  send(batch: readonly ToGuest[]): void;
  /** Ends it, whatever it computes; resolves when it is gone. */
  kill(): Promise<void>;
  /** Undefined where nobody knows. */
  usage(): Usage | undefined;
}

export interface Usage {
  readonly residentBytes: number;
  /** CPU time of all its threads until now. */
  readonly cpuMs: number;
}

export interface TransportEvents {
  received(batch: FromGuestBatch): void;
  failed(loss: Loss): void;
}

interface Unhandled {
  readonly run: number;
  readonly sliceMs: number;
}

/** A run that computes may be slow because others need the processor: so much more time of the clock is allowed than of the processor. */
const WALL_FACTOR = 15;
/** A process starts in some 50 ms; beside a busy engine it may take a second. */
const START_MS = 30_000;
/** Messages that were handled are reported within a millisecond; one that waits longer than this waits for a program. */
const BUSY_MS = 50;

/**
 * The server's side of a place where programs run: sends to it, hands out what it says, compiles there, and ends it
 * when a program hangs. Hanging is told by the oldest message that it has not handled.
 */
export class GuestHost {
  readonly #transport: GuestTransport;
  readonly #runs = new Map<number, HostedRun>();
  readonly #compiled = new Map<string, Promise<void>>();
  readonly #onLost: (host: GuestHost) => void;
  readonly #onHandled: () => void;
  #outbox: ToGuest[] = [];
  #unhandled: Unhandled[] = [];
  /** Since when the oldest one has been the oldest: time of the clock, and what it had computed by then. */
  #oldest: { readonly since: number; cpuMs: number | undefined } | undefined;
  #roomWaiters: (() => void)[] = [];
  #queriesUntil = 0;
  #started = false;
  #loss: Loss | undefined;

  /** `onLost` is called once, when the place can no longer be used and before its runs are told; `onHandled` whenever it has nothing to do. */
  constructor(
    start: (events: TransportEvents) => GuestTransport,
    { onLost, onHandled = () => {} }: { onLost: (host: GuestHost) => void; onHandled?: () => void },
  ) {
    this.#onLost = onLost;
    this.#onHandled = onHandled;
    this.#transport = start({ received: batch => this.#receive(batch), failed: loss => this.#lose(loss) });
  }

  get lost(): boolean {
    return this.#loss !== undefined;
  }

  get runCount(): number {
    return this.#runs.size;
  }

  /** Whether a program there has been computing for a while. */
  get busy(): boolean {
    return this.#oldest !== undefined && performance.now() - this.#oldest.since > BUSY_MS;
  }

  usage(): Usage | undefined {
    return this.#loss ? undefined : this.#transport.usage();
  }

  /** Compiles a program there, once. Throws CompileFailed. */
  compile(id: number, digest: string, bytes: Uint8Array): Promise<void> {
    let compiling = this.#compiled.get(digest);
    if (!compiling) {
      compiling = this.#compile(id, digest, bytes);
      this.#compiled.set(digest, compiling);
    }
    return compiling;
  }

  /** Registers a run under the number that its messages carry. */
  attach(id: number, run: HostedRun): void {
    this.#runs.set(id, run);
  }

  /** All that is sent during one turn of the event loop leaves as one message. */
  send(message: ToGuest): void {
    if (this.#loss) return;
    const sliceMs = this.#runs.get(message.run)?.sliceMs ?? COMPILE_MS;
    if (this.#unhandled.push({ run: message.run, sliceMs }) === 1) this.#oldest = this.#now();
    if (this.#outbox.push(message) === 1) setImmediate(() => this.#flush());
  }

  /** Whether it is not far behind with its messages, or ended. */
  get hasRoom(): boolean {
    return this.#unhandled.length < MAX_UNHANDLED || this.lost;
  }

  async room(): Promise<void> {
    while (!this.hasRoom) {
      await new Promise<void>(resolve => this.#roomWaiters.push(resolve));
    }
  }

  /** How long an answer to a query must wait, so that a loop of them does not take this thread's time from others; ms. */
  queryDelayMs(): number {
    const now = performance.now();
    const interval = 1000 / QUERIES_PER_SECOND;
    this.#queriesUntil = Math.max(this.#queriesUntil, now - QUERY_BURST * interval) + interval;
    return Math.max(0, this.#queriesUntil - now);
  }

  async close(): Promise<void> {
    this.end({ kind: 'closed', message: 'the sandbox was closed' });
    await this.#transport.kill();
  }

  /** Ends it for a reason that its runs are told. */
  end(loss: Loss): void {
    this.#lose(loss);
    void this.#transport.kill();
  }

  /** Ends it when a program has computed for longer than its slice. To be called every 100 ms. */
  look(usage: Usage | undefined): void {
    const [oldest] = this.#unhandled;
    if (!oldest || !this.#oldest) return;
    const wallMs = performance.now() - this.#oldest.since;
    if (!this.#started) {
      if (wallMs > START_MS) this.end({ kind: 'died', message: `its process did not start within ${START_MS} ms` });
      return;
    }
    // What was computed before the first look is not known: it counts as nothing.
    this.#oldest.cpuMs ??= usage?.cpuMs;
    const computedMs = usage && this.#oldest.cpuMs !== undefined ? usage.cpuMs - this.#oldest.cpuMs : wallMs;
    if (computedMs < oldest.sliceMs && wallMs < WALL_FACTOR * oldest.sliceMs) return;
    this.end({
      kind: 'hung',
      message: `computed for more than ${oldest.sliceMs} ms without giving way`,
      run: oldest.run,
    });
  }

  async #compile(id: number, digest: string, bytes: Uint8Array): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.attach(id, {
      sliceMs: COMPILE_MS,
      receive: message => {
        this.#runs.delete(id);
        if (message.kind !== 'compiled' || message.error === undefined) resolve();
        else reject(new CompileFailed(message.error));
      },
      lost: loss =>
        reject(loss.kind === 'closed' ? closedError() : new CompileFailed(compileLoss(loss), loss.kind === 'died')),
    });
    this.send({ kind: 'compile', run: id, digest, bytes });
    return promise;
  }

  #now() {
    return { since: performance.now(), cpuMs: undefined };
  }

  #flush(): void {
    if (!this.#loss) this.#transport.send(this.#outbox);
    this.#outbox = [];
  }

  #receive({ handled, messages }: FromGuestBatch): void {
    if (this.#loss) return;
    this.#unhandled.splice(0, handled);
    if (handled > 0 || !this.#started) this.#oldest = this.#unhandled.length > 0 ? this.#now() : undefined;
    this.#started = true;
    for (const message of messages) {
      const run = this.#runs.get(message.run);
      if (message.kind === 'end') this.#runs.delete(message.run);
      run?.receive(message);
    }
    if (this.#unhandled.length < MAX_UNHANDLED) this.#wakeWaiters();
    if (this.#unhandled.length === 0) this.#onHandled();
  }

  #wakeWaiters(): void {
    for (const wake of this.#roomWaiters.splice(0)) wake();
  }

  #lose(loss: Loss): void {
    if (this.#loss) return;
    this.#loss = loss;
    this.#unhandled = [];
    this.#oldest = undefined;
    this.#wakeWaiters();
    this.#onLost(this);
    const runs = [...this.#runs];
    this.#runs.clear();
    for (const [id, run] of runs) run.lost(loss.run === undefined || loss.run === id ? loss : collateral);
  }
}

/** What the other runs of a process are told in which one hung. */
const collateral: Loss = {
  kind: 'died',
  message: 'its process was ended, because another run of the tenant computed for too long',
};

export const closedError = () =>
  new RealmError('shutting_down', 'The server is shutting down; send the request again later.');

/** The text goes behind "it does not compile: ". */
export class CompileFailed extends Error {
  /** The place ended meanwhile, and the module may have had no part in it. */
  readonly interrupted: boolean;

  constructor(message: string, interrupted = false) {
    super(message);
    this.interrupted = interrupted;
  }
}

function compileLoss({ kind, message }: Loss): string {
  if (kind === 'hung') return `it takes more than ${COMPILE_MS} ms of computing`;
  return kind === 'out_of_memory' ? 'it takes too much memory' : message;
}
