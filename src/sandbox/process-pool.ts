import { totalmem } from 'node:os';
import { CompileFailed, closedError, GuestHost, type Usage } from './guest-host.ts';
import { MAX_INSTANCES, PROCESS_MB } from './limits.ts';
import { ModuleTrials } from './module-trials.ts';
import { startGuestProcess } from './process-transport.ts';
import { type PlaceWaiter, TenantLines } from './tenant-lines.ts';
import type { SandboxStats } from './types.ts';

/** One of the processes. */
interface Worker {
  readonly host: GuestHost;
  readonly runs: Set<object>;
  idleSince: number;
  /** What it had computed when it was last looked at, and whether it has computed most of the time since before. */
  cpuMs: number;
  busy: boolean;
}

/** A run's place in a process. */
export interface Place {
  readonly host: GuestHost;
  /** To be called once, when the run is over. */
  release(): void;
}

export interface ProcessPoolOptions {
  /** Processes at once. Default 2. */
  readonly workers?: number;
  /** For the memories of all runs together, MB. Default: a quarter of the machine's. */
  readonly memoryMb?: number | undefined;
  /** Runs in one process. Default 1000. */
  readonly maxInstances?: number;
}

const LOOK_MS = 100;
const IDLE_MS = 30_000;
const MB = 1024 * 1024;

/**
 * The few processes in which the guests of all tenants run, in turns (`guest-turns.ts`). A run goes to the one with
 * least to do; where none has room, tenants wait in order. One is always ready, others end when they have been idle.
 */
export class ProcessPool {
  readonly #size: number;
  readonly #maxInstances: number;
  /** For the guests of one process. */
  readonly #memoryMb: number;
  readonly #workers = new Map<GuestHost, Worker>();
  readonly #lines = new TenantLines<Place>();
  readonly #trials = new ModuleTrials(startGuestProcess);
  #watch: NodeJS.Timeout | undefined;
  #closed = false;
  /** What processes that have ended had computed when they were last looked at. */
  #endedCpuMs = 0;

  constructor({ workers = 2, memoryMb = totalmem() / MB / 4, maxInstances = MAX_INSTANCES }: ProcessPoolOptions = {}) {
    this.#size = workers;
    this.#memoryMb = Math.floor(memoryMb / workers);
    this.#maxInstances = maxInstances;
  }

  /** Of all processes: their number, and what those that live use. */
  stats(): Omit<SandboxStats, 'submissions'> {
    const usages = [...this.#workers.keys()].map(host => host.usage()).filter(usage => usage !== undefined);
    return {
      processes: this.#workers.size,
      runs: this.#lines.running,
      waiting: this.#lines.waiting,
      residentBytes: usages.reduce((sum, { residentBytes }) => sum + residentBytes, 0),
      cpuMs: usages.reduce((sum, { cpuMs }) => sum + cpuMs, this.#endedCpuMs),
    };
  }

  /** Sees to it that a process is ready. */
  warm(): void {
    if (!this.#closed && this.#workers.size === 0) this.#start();
  }

  /** Compiles a program in a process of its own, to see whether it can be; throws CompileFailed. */
  async check(digest: string, bytes: Uint8Array): Promise<void> {
    this.#checkOpen();
    await this.#trials.try(digest, bytes);
  }

  /** A process died while it compiled the program: it is tried alone, and refused from now on where that fails too. */
  async suspect(digest: string, bytes: Uint8Array): Promise<void> {
    try {
      await this.check(digest, bytes);
    } catch (error) {
      if (error instanceof CompileFailed) this.refuse(digest, error);
      throw error;
    }
  }

  refuse(digest: string, error: Error): void {
    this.#trials.refuse(digest, error);
  }

  /** A place in a process, for one of at most `runs` of the tenant; waits for one until `signal` is aborted. */
  acquire(tenant: string, runs: number, digest: string, signal: AbortSignal): Promise<Place> {
    this.#checkOpen();
    this.#trials.checkRefused(digest);
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<Place>();
    const leave = () => {
      this.#lines.remove(waiter);
      reject(signal.reason);
    };
    const settled =
      <T>(settle: (value: T) => void) =>
      (value: T) => {
        signal.removeEventListener('abort', leave);
        settle(value);
      };
    const waiter: PlaceWaiter<Place> = { tenant, runs, take: settled(resolve), refuse: settled(reject) };
    signal.addEventListener('abort', leave, { once: true });
    this.#lines.add(waiter);
    this.#serve();
    return promise;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#watch);
    for (const waiter of this.#lines.clear()) waiter.refuse(closedError());
    await Promise.all([this.#trials.close(), ...[...this.#workers.keys()].map(host => host.close())]);
  }

  /** Gives places to those that wait, as long as there are any. */
  #serve(): void {
    while (!this.#closed && this.#lines.hasNext) {
      const worker = this.#leastBusy();
      if (!worker) return;
      this.#enter(worker, this.#lines.take());
    }
  }

  #enter(worker: Worker, waiter: PlaceWaiter<Place>): void {
    const run = {};
    worker.runs.add(run);
    let over = false;
    waiter.take({
      host: worker.host,
      release: () => {
        if (over) return;
        over = true;
        worker.runs.delete(run);
        worker.idleSince = performance.now();
        this.#lines.ended(waiter.tenant);
        this.#serve();
      },
    });
    // The next one finds a process that has nothing to do.
    if (this.#workers.size < this.#size && this.#living().every(({ runs }) => runs.size > 0)) this.#start();
  }

  /** The process that has least to do, and room for one more. */
  #leastBusy(): Worker | undefined {
    const [first = this.#start(), ...others] = this.#living();
    const least = others.reduce((a, b) => (work(b) < work(a) ? b : a), first);
    return least.runs.size < this.#maxInstances ? least : undefined;
  }

  #living(): Worker[] {
    return [...this.#workers.values()];
  }

  #start(): Worker {
    const host = new GuestHost(
      events => startGuestProcess(events, this.#memoryMb),
      lost => this.#lost(lost),
    );
    const worker: Worker = { host, runs: new Set(), idleSince: performance.now(), cpuMs: 0, busy: false };
    this.#workers.set(host, worker);
    this.#watch ??= setInterval(() => this.#look(), LOOK_MS).unref();
    return worker;
  }

  #lost(host: GuestHost): void {
    this.#endedCpuMs += this.#workers.get(host)?.cpuMs ?? 0;
    this.#workers.delete(host);
    // Later: whoever ended it may be in the middle of serving.
    queueMicrotask(() => this.#serve());
  }

  /** Ten times a second: ends what hangs, what holds too much memory, and what has been idle for long. */
  #look(): void {
    for (const worker of this.#living()) {
      const usage = worker.host.usage();
      if (usage) {
        worker.busy = usage.cpuMs - worker.cpuMs > LOOK_MS / 2;
        worker.cpuMs = usage.cpuMs;
        this.#limitMemory(worker, usage);
      }
      worker.host.look(usage);
      if (this.#workers.size > 1 && worker.runs.size === 0 && performance.now() - worker.idleSince > IDLE_MS) {
        void worker.host.close();
      }
    }
  }

  /** Guests have no more than they may: this is about all else that the process holds. */
  #limitMemory({ host }: Worker, { residentBytes }: Usage): void {
    const allowedMb = this.#memoryMb + PROCESS_MB;
    if (residentBytes <= allowedMb * MB) return;
    const message = `its process took ${Math.round(residentBytes / MB)} MB; ${allowedMb} are allowed`;
    host.end({ kind: 'out_of_memory', message });
  }

  #checkOpen(): void {
    if (this.#closed) throw closedError();
  }
}

/** A process that computes all the time is worth less than any other. */
const work = ({ runs, busy }: Worker): number => runs.size + (busy ? MAX_INSTANCES : 0);
