import { CompileFailed, GuestHost, type GuestTransport, type TransportEvents } from './guest-host.ts';
import { PROCESS_MB } from './limits.ts';

const LOOK_MS = 100;
const IDLE_MS = 2_000;
/** Modules that one process tries. */
const MAX_TRIED = 100;
/** Modules that are remembered. */
const MAX_REFUSED = 1_000;

/**
 * Compiles modules, one after the other, in a process where nothing ever runs, before they come to where others' guests
 * are. The process ends with a module that takes too much there or that it dies of, and when it has been idle.
 */
export class ModuleTrials {
  readonly #start: (events: TransportEvents) => GuestTransport;
  readonly #refused = new Map<string, Error>();
  #host: GuestHost | undefined;
  #tried = 0;
  #last: Promise<unknown> = Promise.resolve();
  #watch: NodeJS.Timeout | undefined;
  #idle: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(start: (events: TransportEvents) => GuestTransport) {
    this.#start = start;
  }

  /** Throws CompileFailed. */
  async try(digest: string, bytes: Uint8Array): Promise<void> {
    this.checkRefused(digest);
    const tried = this.#last.then(() => this.#try(digest, bytes));
    this.#last = tried.catch(() => {});
    await tried;
  }

  /** Throws what was found wrong with it. */
  checkRefused(digest: string): void {
    const error = this.#refused.get(digest);
    if (error) throw error;
  }

  /** From now on. */
  refuse(digest: string, error: Error): void {
    if (this.#refused.size >= MAX_REFUSED) this.#refused.delete(this.#refused.keys().next().value!);
    this.#refused.set(digest, error);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#end();
  }

  async #try(digest: string, bytes: Uint8Array): Promise<void> {
    clearTimeout(this.#idle);
    const host = this.#open();
    try {
      await host.compile(++this.#tried, digest, bytes);
      host.forget(digest);
    } catch (error) {
      // Most of what fails is refused: V8 says what is wrong with it, and has compiled nothing.
      if (!(error instanceof CompileFailed) || error.interrupted) void this.#end();
      throw error;
    } finally {
      if (this.#tried >= MAX_TRIED) void this.#end();
      else if (this.#host) this.#idle = setTimeout(() => void this.#end(), IDLE_MS).unref();
    }
  }

  #open(): GuestHost {
    if (this.#host && !this.#host.lost) return this.#host;
    const host = new GuestHost(this.#start, () => {});
    this.#host = host;
    this.#tried = 0;
    clearInterval(this.#watch);
    this.#watch = setInterval(() => this.#look(host), LOOK_MS).unref();
    if (this.#closed) void this.#end();
    return host;
  }

  /** Ends what takes too long, or too much memory. */
  #look(host: GuestHost): void {
    const usage = host.usage();
    if (usage && usage.residentBytes > PROCESS_MB * 1024 * 1024) {
      host.end({ kind: 'out_of_memory', message: 'it takes too much memory' });
    }
    host.look(usage);
  }

  async #end(): Promise<void> {
    clearInterval(this.#watch);
    clearTimeout(this.#idle);
    const host = this.#host;
    this.#host = undefined;
    await host?.close();
  }
}
