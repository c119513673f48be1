import { platform } from '#platform';
import { RealmError } from '../errors.ts';
import { COMPILE_MS, MAX_KEPT_BYTES, MAX_KEPT_MODULES, MAX_UNHANDLED } from './limits.ts';
import type { FromGuest, FromGuestBatch, ToGuest } from './messages.ts';

/** Why the place where programs run ended while it had runs. */
export interface Loss {
  readonly kind: 'hung' | 'out_of_memory' | 'died' | 'closed';
  readonly message: string;
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
/** Of messages that are about no run. */
const NO_RUN = 0;
/** A process starts in some 50 ms; beside a busy engine it may take a second. */
const START_MS = 30_000;

interface Kept {
  readonly compiling: Promise<void>;
  readonly bytes: number;
}

/**
 * The server's side of a place where programs run: sends to it, hands out what it says, compiles there, and ends it
 * when a program hangs. Hanging is told by the oldest message that it has not handled.
 */
export class GuestHost {
  readonly #transport: GuestTransport;
  readonly #runs = new Map<number, HostedRun>();
  /** By digest, the one that was used last at the end. */
  readonly #modules = new Map<string, Kept>();
  readonly #onLost: (host: GuestHost) => void;
  #outbox: ToGuest[] = [];
  #unhandled: Unhandled[] = [];
  /** Since when the oldest one has been the oldest: time of the clock, and what it had computed by then. */
  #oldest: { readonly since: number; cpuMs: number | undefined } | undefined;
  #roomWaiters: (() => void)[] = [];
  /** One module after the other is compiled, so that it is known at which one the place died. */
  #lastCompiled: Promise<unknown> = Promise.resolve();
  #started = false;
  #loss: Loss | undefined;

  /** `onLost` is called once, when the place can no longer be used and before its runs are told. */
  constructor(start: (events: TransportEvents) => GuestTransport, onLost: (host: GuestHost) => void) {
    this.#onLost = onLost;
    this.#transport = start({ received: batch => this.#receive(batch), failed: loss => this.#lose(loss) });
  }

  get lost(): boolean {
    return this.#loss !== undefined;
  }

  get runCount(): number {
    return this.#runs.size;
  }

  usage(): Usage | undefined {
    return this.#loss ? undefined : this.#transport.usage();
  }

  /** Compiles a program there, once as long as it is in use. Throws CompileFailed. */
  compile(id: number, digest: string, bytes: Uint8Array): Promise<void> {
    const known = this.#modules.get(digest);
    const compiling = known?.compiling ?? this.#inTurn(() => this.#compile(id, digest, bytes));
    this.#modules.delete(digest);
    this.#modules.set(digest, { compiling, bytes: bytes.length });
    // Later: whoever has just been told that it is compiled will have begun by then.
    if (!known)
      compiling.then(
        () => platform.later(() => this.#bound()),
        () => this.#modules.delete(digest),
      );
    return compiling;
  }

  /** No run will begin with it until it is compiled again. */
  forget(digest: string): void {
    this.#modules.delete(digest);
    this.send({ kind: 'forget', run: NO_RUN, digest });
  }

  /** Registers a run under the number that its messages carry. */
  attach(id: number, run: HostedRun): void {
    if (this.#loss) run.lost(this.#loss);
    else this.#runs.set(id, run);
  }

  /** What one callback of the event loop sends, with all that follows from it at once, leaves as one message. */
  send(message: ToGuest): void {
    if (this.#loss) return;
    const sliceMs = this.#runs.get(message.run)?.sliceMs ?? COMPILE_MS;
    if (this.#unhandled.push({ run: message.run, sliceMs }) === 1) this.#oldest = this.#now();
    if (this.#outbox.push(message) === 1) queueMicrotask(() => this.#flush());
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

  async close(): Promise<void> {
    this.end({ kind: 'closed', message: 'the sandbox was closed' });
    await this.#transport.kill();
  }

  /** Ends it for a reason that its runs are told. */
  end(loss: Loss): void {
    this.#lose(loss);
    void this.#transport.kill();
  }

  /** Ends it when it has not handled a message for longer than a program may compute. To be called every 100 ms. */
  look(usage: Usage | undefined): void {
    const [oldest] = this.#unhandled;
    if (!oldest || !this.#oldest) {
      if (this.#runs.size > 0) this.send({ kind: 'ping', run: NO_RUN });
      return;
    }
    const wallMs = performance.now() - this.#oldest.since;
    if (!this.#started) {
      if (wallMs > START_MS) this.end({ kind: 'died', message: `its process did not start within ${START_MS} ms` });
      return;
    }
    // What was computed before the first look is not known: it counts as nothing.
    this.#oldest.cpuMs ??= usage?.cpuMs;
    const computedMs = usage && this.#oldest.cpuMs !== undefined ? usage.cpuMs - this.#oldest.cpuMs : wallMs;
    if (computedMs < oldest.sliceMs && wallMs < WALL_FACTOR * oldest.sliceMs) return;
    this.end({ kind: 'hung', message: `computed for more than ${oldest.sliceMs} ms without giving way` });
  }

  async #inTurn(compile: () => Promise<void>): Promise<void> {
    const before = this.#lastCompiled;
    const compiled = before.then(compile);
    this.#lastCompiled = compiled.catch(() => {});
    await compiled;
  }

  /** Compiled code is kept within bounds: what was not used for longest goes. Runs that have begun keep theirs. */
  #bound(): void {
    let kept = [...this.#modules.values()].reduce((sum, { bytes }) => sum + bytes, 0);
    for (const [digest, { bytes }] of this.#modules) {
      if (this.#modules.size <= MAX_KEPT_MODULES && kept <= MAX_KEPT_BYTES) return;
      kept -= bytes;
      this.forget(digest);
    }
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
      lost: loss => reject(loss.kind === 'closed' ? closedError() : new CompileFailed(compileLoss(loss), true)),
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
    for (const [, run] of runs) run.lost(loss);
  }
}

export const closedError = () =>
  new RealmError('shutting_down', 'The server is shutting down; send the request again later.');

/** The text goes behind "it does not compile: ". */
export class CompileFailed extends Error {
  /** The place ended meanwhile; where others share it, the module may have had no part in that. */
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
