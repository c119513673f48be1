import { MemoryCollector } from './collector.ts';
import { GuestRun } from './guest-run.ts';
import type { FromGuest, FromGuestBatch, ToGuest } from './messages.ts';

/** Handled messages are reported at least this often, so that a hang is laid at the right program's door. */
const REPORT_MS = 1;

/**
 * What a place where programs run does with its messages, thread or process. Each is handled in a callback of its own:
 * all that a program computes on account of it is over before the next callback begins, so `handled` is true.
 */
export class GuestLoop {
  readonly #post: (batch: FromGuestBatch) => void;
  readonly #runs = new Map<number, GuestRun>();
  readonly #modules = new Map<string, WebAssembly.Module>();
  readonly #collector = new MemoryCollector();
  #outbox: FromGuest[] = [];
  #handled = 0;
  #reportedAt = 0;

  constructor(post: (batch: FromGuestBatch) => void) {
    this.#post = post;
    // Says that it has started.
    post({ handled: 0, messages: [] });
  }

  receive(batch: readonly ToGuest[]): void {
    for (const message of batch) {
      setImmediate(() => {
        if (performance.now() - this.#reportedAt > REPORT_MS) this.#report();
        this.#handle(message);
        this.#handled++;
      });
    }
    setImmediate(() => {
      this.#report();
      this.#collector.collectIfWorthwhile();
    });
  }

  #report(): void {
    this.#reportedAt = performance.now();
    if (this.#handled === 0 && this.#outbox.length === 0) return;
    this.#post({ handled: this.#handled, messages: this.#outbox });
    this.#handled = 0;
    this.#outbox = [];
  }

  #handle(message: ToGuest): void {
    if (message.kind === 'compile') this.#compile(message);
    else if (message.kind === 'start') void this.#start(message);
    else this.#runs.get(message.run)?.receive(message);
  }

  #compile({ run, digest, bytes }: Extract<ToGuest, { kind: 'compile' }>): void {
    let error: string | undefined;
    try {
      this.#modules.set(digest, new WebAssembly.Module(bytes as BufferSource));
    } catch (thrown) {
      error = (thrown as Error).message;
    }
    this.#outbox.push({ kind: 'compiled', run, error });
  }

  async #start(message: Extract<ToGuest, { kind: 'start' }>): Promise<void> {
    const run = new GuestRun(message, this.#modules.get(message.digest), each => this.#outbox.push(each));
    this.#runs.set(message.run, run);
    const outcome = await run.run();
    this.#runs.delete(message.run);
    this.#collector.released(run.memoryBytes);
    this.#outbox.push({ kind: 'end', run: message.run, outcome });
  }
}
