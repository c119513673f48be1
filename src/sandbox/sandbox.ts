import { DirectRun } from './direct-run.ts';
import { CompileFailed, closedError, GuestHost } from './guest-host.ts';
import { DEFAULT_MEMORY_MB } from './limits.ts';
import { type Place, ProcessPool, type ProcessPoolOptions } from './process-pool.ts';
import { type LimitedModule, LoadedProgram } from './program.ts';
import { ProgramRun } from './program-run.ts';
import { QueryPace } from './query-pace.ts';
import { cancelled, readRun } from './read-run.ts';
import { startGuestThread } from './thread-transport.ts';
import type { LoadOptions, Program, ProgramCall, Sandbox, SandboxStats } from './types.ts';

export type SandboxOptions = ProcessPoolOptions;

/** Thread and processes are started when they are first needed; one process is ready once a tenant's own program is loaded. */
export function createSandbox(options: SandboxOptions = {}): Sandbox {
  return new GuestSandbox(new ProcessPool(options));
}

const LOOK_MS = 100;
/** Processes that may die while they compile a program that can be compiled alone. */
const MAX_TRIES = 3;

class GuestSandbox implements Sandbox {
  readonly #pool: ProcessPool;
  /** The thread that all built-in programs share. */
  #shared: GuestHost | undefined;
  readonly #ofRuns = { queries: new QueryPace(), submissions: { open: 0 } };
  #watch: NodeJS.Timeout | undefined;
  #lastRun = 0;
  #closed = false;

  constructor(pool: ProcessPool) {
    this.#pool = pool;
  }

  async load(
    name: string,
    bytes: Uint8Array,
    { trusted = false, direct = false, memoryMb = DEFAULT_MEMORY_MB }: LoadOptions = {},
  ): Promise<Program> {
    const program = new LoadedProgram(name, bytes, trusted || direct, direct);
    if (direct) return program;
    const module = program.moduleFor(memoryMb);
    try {
      if (trusted) await this.#thread().compile(++this.#lastRun, module.digest, module.bytes);
      else await this.#pool.check(module.digest, module.bytes);
    } catch (error) {
      throw program.invalid(error);
    }
    if (!trusted) this.#pool.warm();
    return program;
  }

  async *run(call: ProgramCall): AsyncGenerator<string, void, undefined> {
    if (call.signal.aborted) throw cancelled();
    if (this.#closed) throw closedError();
    const direct = (call.program as LoadedProgram).direct;
    const run = direct ? new DirectRun(call) : new ProgramRun(++this.#lastRun, call, this.#ofRuns);
    if (run instanceof ProgramRun) run.again = () => void this.#start(run, call);
    yield* readRun(run, call, () => (run instanceof DirectRun ? run.start() : this.#start(run, call)));
  }

  stats(): SandboxStats {
    return { ...this.#pool.stats(), submissions: this.#ofRuns.submissions.open };
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#watch);
    await Promise.all([this.#shared?.close(), this.#pool.close()]);
  }

  async #start(run: ProgramRun, call: ProgramCall): Promise<void> {
    const { program, limits } = call;
    try {
      const module = (program as LoadedProgram).moduleFor(limits.memoryMb);
      if (program.trusted) {
        const thread = this.#thread();
        await thread.compile(++this.#lastRun, module.digest, module.bytes);
        return run.start(thread, module.digest);
      }
      const place = await this.#place(call, module, run.over);
      run.onSettled = place.release;
      run.start(place.host, module.digest);
    } catch (error) {
      run.cancel((program as LoadedProgram).invalid(error));
    }
  }

  /** A place in a process where the module has been compiled; another one when that has ended meanwhile. */
  async #place({ tenant, limits }: ProgramCall, { digest, bytes }: LimitedModule, signal: AbortSignal): Promise<Place> {
    for (let tries = 1; ; tries++) {
      const place = await this.#pool.acquire(tenant, limits.runs, digest, signal);
      try {
        await place.host.compile(++this.#lastRun, digest, bytes);
        return place;
      } catch (error) {
        place.release();
        if (!(error instanceof CompileFailed && error.interrupted)) throw error;
        if (tries === MAX_TRIES) this.#pool.refuse(digest, error);
        else await this.#pool.suspect(digest, bytes);
      }
    }
  }

  #thread(): GuestHost {
    if (this.#closed) throw closedError();
    this.#shared ??= new GuestHost(startGuestThread, () => {
      this.#shared = undefined;
    });
    this.#watch ??= setInterval(() => this.#look(), LOOK_MS).unref();
    return this.#shared;
  }

  #look(): void {
    this.#shared?.look(undefined);
    if (this.#shared && this.#shared.runCount > 0) return;
    clearInterval(this.#watch);
    this.#watch = undefined;
  }
}
