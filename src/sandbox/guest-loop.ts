import { platform } from '#platform';
import type { GuestPlace } from './guest-place.ts';
import { GuestRun } from './guest-run.ts';
import { GuestTurns } from './guest-turns.ts';
import type { FromGuest, FromGuestBatch, ToGuest } from './messages.ts';
import { PlaceMemory } from './place-memory.ts';

/** Handled messages are reported at least this often, so that a hang is laid at the right program's door. */
const REPORT_MS = 1;

type Compile = Extract<ToGuest, { kind: 'compile' }>;

export interface GuestLoopOptions {
  /** Guests of several tenants, metered: they take turns, and compiling holds none of them up. */
  readonly shared?: boolean;
  /** For the memories of all of them. */
  readonly memoryBytes?: number;
  /** Frees the memories of guests that have ended; absent: the place ends with them. */
  readonly collector?: Collector;
}

interface Collector {
  released(memoryBytes: number): void;
  collectIfWorthwhile(): void;
}

/**
 * What a place where programs run does with its messages, thread or process. Each is handled in a callback of its own:
 * all that a program computes on account of it is over before the next callback begins, so `handled` is true. Where
 * guests take turns, what they compute may come later, and `handled` says only that the place lives.
 */
export class GuestLoop {
  readonly #send: (batch: FromGuestBatch) => void;
  readonly #runs = new Map<number, GuestRun>();
  readonly #modules = new Map<string, WebAssembly.Module>();
  readonly #collector: Collector | undefined;
  readonly #place: GuestPlace;
  #outbox: FromGuest[] = [];
  #handled = 0;
  #reportedAt = 0;

  constructor(
    send: (batch: FromGuestBatch) => void,
    { shared = false, memoryBytes, collector }: GuestLoopOptions = {},
  ) {
    this.#send = send;
    this.#collector = collector;
    this.#place = {
      turns: shared ? new GuestTurns(() => this.#report()) : undefined,
      memory: new PlaceMemory(memoryBytes),
      post: message => this.#outbox.push(message),
    };
    // Says that it has started.
    send({ handled: 0, messages: [] });
  }

  receive(batch: readonly ToGuest[]): void {
    this.#place.turns?.polled();
    for (const message of batch) {
      platform.later(() => {
        if (performance.now() - this.#reportedAt > REPORT_MS) this.#report();
        this.#handle(message);
        this.#handled++;
      });
    }
    platform.later(() => {
      this.#report();
      this.#collector?.collectIfWorthwhile();
    });
  }

  #report(): void {
    this.#reportedAt = performance.now();
    if (this.#handled === 0 && this.#outbox.length === 0) return;
    this.#send({ handled: this.#handled, messages: this.#outbox });
    this.#handled = 0;
    this.#outbox = [];
  }

  #handle(message: ToGuest): void {
    switch (message.kind) {
      case 'compile':
        if (this.#place.turns) void this.#compileBeside(message);
        else this.#compile(message);
        break;
      case 'start':
        void this.#start(message);
        break;
      case 'forget':
        this.#modules.delete(message.digest);
        break;
      case 'ping':
        break;
      default:
        this.#runs.get(message.run)?.receive(message);
    }
  }

  #compile({ run, digest, bytes }: Compile): void {
    let error: string | undefined;
    try {
      this.#modules.set(digest, new WebAssembly.Module(bytes as BufferSource));
    } catch (thrown) {
      error = (thrown as Error).message;
    }
    this.#place.post({ kind: 'compiled', run, error });
  }

  /** Compiles while guests go on. */
  async #compileBeside({ run, digest, bytes }: Compile): Promise<void> {
    let error: string | undefined;
    try {
      this.#modules.set(digest, await WebAssembly.compile(bytes as BufferSource));
    } catch (thrown) {
      error = (thrown as Error).message;
    }
    this.#place.post({ kind: 'compiled', run, error });
    this.#report();
  }

  async #start(message: Extract<ToGuest, { kind: 'start' }>): Promise<void> {
    const run = new GuestRun(message, this.#modules.get(message.digest), this.#place);
    this.#runs.set(message.run, run);
    const outcome = await run.run();
    this.#runs.delete(message.run);
    this.#collector?.released(run.memoryBytes);
    this.#place.post({ kind: 'end', run: message.run, outcome });
  }
}
