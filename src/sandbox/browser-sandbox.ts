import { RealmError } from '../errors.ts';
import { CompileFailed, closedError, GuestHost, type GuestTransport, type TransportEvents } from './guest-host.ts';
import { DEFAULT_MEMORY_MB } from './limits.ts';
import { LoadedProgram } from './program.ts';
import { ProgramRun } from './program-run.ts';
import { requirePromiseIntegration } from './promise-integration.ts';
import { QueryPace } from './query-pace.ts';
import { cancelled, readRun } from './read-run.ts';
import { TenantLines } from './tenant-lines.ts';
import type { LoadOptions, Program, ProgramCall, Sandbox, SandboxStats } from './types.ts';

/** Where each run has a place of its own, which ends with it: a browser's Web Workers. */
export class BrowserSandbox implements Sandbox {
  readonly #startPlace: (events: TransportEvents) => GuestTransport;
  readonly #lines = new TenantLines<void>();
  readonly #ofRuns = { queries: new QueryPace(), submissions: { open: 0 } };
  readonly #places = new Set<GuestHost>();
  #lastRun = 0;
  #closed = false;

  constructor(startPlace: (events: TransportEvents) => GuestTransport) {
    this.#startPlace = startPlace;
  }

  /** It is compiled where it runs. */
  async load(name: string, bytes: Uint8Array, { memoryMb = DEFAULT_MEMORY_MB }: LoadOptions = {}): Promise<Program> {
    const program = new LoadedProgram(name, bytes, false);
    program.moduleFor(memoryMb);
    return program;
  }

  async *run(call: ProgramCall): AsyncGenerator<string, void, undefined> {
    if (call.signal.aborted) throw cancelled();
    if (this.#closed) throw closedError();
    requirePromiseIntegration();
    const run = new ProgramRun(++this.#lastRun, call, this.#ofRuns);
    yield* readRun(run, call, () => this.#start(run, call));
  }

  stats(): SandboxStats {
    const { running, waiting } = this.#lines;
    const submissions = this.#ofRuns.submissions.open;
    return { processes: this.#places.size, runs: running, waiting, submissions, residentBytes: 0, cpuMs: 0 };
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const waiter of this.#lines.clear()) waiter.refuse(closedError());
    await Promise.all([...this.#places].map(place => place.close()));
  }

  async #start(run: ProgramRun, { program, tenant, limits }: ProgramCall): Promise<void> {
    try {
      await this.#turn(tenant, limits.runs, run.over);
      whenOver(run, () => this.#left(tenant));
      const { digest, bytes } = (program as LoadedProgram).moduleFor(limits.memoryMb);
      const place = new GuestHost(this.#startPlace, () => {});
      this.#places.add(place);
      whenOver(run, () => this.#end(place));
      run.again = () => run.cancel(lost(program, 'its worker ended'));
      await place.compile(++this.#lastRun, digest, bytes);
      run.start(place, digest);
    } catch (error) {
      const interrupted = error instanceof CompileFailed && error.interrupted;
      run.cancel(interrupted ? lost(program, error.message) : (program as LoadedProgram).invalid(error));
    }
  }

  #end(place: GuestHost): void {
    this.#places.delete(place);
    void place.close();
  }

  #left(tenant: string): void {
    this.#lines.ended(tenant);
    this.#next();
  }

  /** Resolves when the tenant may have one more run. */
  async #turn(tenant: string, runs: number, over: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter = { tenant, runs, take: resolve, refuse: reject };
    const leave = () => {
      this.#lines.remove(waiter);
      reject(over.reason);
    };
    over.addEventListener('abort', leave, { once: true });
    this.#lines.add(waiter);
    this.#next();
    await promise;
  }

  #next(): void {
    while (this.#lines.hasNext) this.#lines.take().take();
  }
}

function whenOver({ over }: ProgramRun, end: () => void): void {
  if (over.aborted) end();
  else over.addEventListener('abort', end, { once: true });
}

const lost = ({ name }: Program, why: string) => new RealmError('program_failed', `Program ${name}: ${why}.`);
