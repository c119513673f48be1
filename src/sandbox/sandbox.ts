import { RealmError } from '../errors.ts';
import { WorkerPool } from './pool.ts';
import { LoadedProgram } from './program.ts';
import { ProgramRun } from './program-run.ts';
import type { Program, ProgramCall, Sandbox } from './types.ts';

export interface SandboxOptions {
  /** Workers in which tenants' own programs run, one run at a time each; more calls than that wait. Default 8. */
  readonly maxWorkers?: number;
}

/** Workers are started when they are first needed, and one ahead once a tenant's own program is loaded. */
export function createSandbox(options: SandboxOptions = {}): Sandbox {
  return new WorkerSandbox(new WorkerPool(options.maxWorkers ?? 8));
}

class WorkerSandbox implements Sandbox {
  readonly #pool: WorkerPool;
  #lastRun = 0;

  constructor(pool: WorkerPool) {
    this.#pool = pool;
  }

  async load(
    name: string,
    bytes: Uint8Array,
    options: { trusted?: boolean; memoryMb?: number } = {},
  ): Promise<Program> {
    const program = await LoadedProgram.load(name, bytes, options);
    if (program.trusted) this.#pool.shared();
    else this.#pool.warm();
    return program;
  }

  async *run(call: ProgramCall): AsyncGenerator<string, void, undefined> {
    if (call.signal.aborted) throw cancelled();
    const run = new ProgramRun(++this.#lastRun, call);
    const timer = setTimeout(() => run.cancel(deadline(call)), call.limits.deadlineMs);
    const onAbort = () => run.cancel(cancelled());
    call.signal.addEventListener('abort', onAbort, { once: true });
    void this.#start(run, call);
    try {
      yield* run.text;
    } finally {
      clearTimeout(timer);
      call.signal.removeEventListener('abort', onAbort);
      // Whoever stops reading has cancelled.
      run.cancel(cancelled());
    }
  }

  async close(): Promise<void> {
    await this.#pool.close();
  }

  async #start(run: ProgramRun, { program, limits, tenant }: ProgramCall): Promise<void> {
    try {
      const module = await (program as LoadedProgram).moduleFor(limits.memoryMb);
      if (program.trusted) return run.start(this.#pool.shared(), module);
      const worker = await this.#pool.acquire(tenant, run.over);
      run.onSettled = () => this.#pool.release(worker);
      run.start(worker, module);
    } catch (error) {
      run.cancel(error);
    }
  }
}

const cancelled = () => new RealmError('request_cancelled', 'The request was cancelled by its client.');

function deadline({ program, limits }: ProgramCall): RealmError {
  const message = `Program ${program.name} did not finish within its deadline_ms (${limits.deadlineMs}).`;
  return new RealmError('program_deadline', message);
}
