import { totalmem } from 'node:os';
import { closedError, GuestHost, type Usage } from './guest-host.ts';
import { MAX_RUNS, PROCESS_MB } from './limits.ts';
import { startGuestProcess } from './process-transport.ts';
import type { SandboxStats } from './types.ts';

/** One tenant's process, and who waits for a run in it. */
interface TenantQueue {
  readonly tenant: string;
  host: GuestHost | undefined;
  /** Memory of each run that was given a place in it, MB. */
  readonly runs: Map<object, number>;
  waiting: Waiter[];
  idleSince: number;
}

interface Waiter {
  readonly memoryMb: number;
  take(place: Place): void;
  refuse(error: Error): void;
}

/** A run's place in its tenant's process. */
export interface Place {
  readonly host: GuestHost;
  /** To be called once, when the run is over. */
  release(): void;
}

export interface ProcessPoolOptions {
  /** Processes at once; whoever comes further waits until a tenant's is idle. Default 32. */
  readonly maxProcesses?: number;
  /** Runs of one tenant at once; the others wait for their turn. Default 16. */
  readonly maxRuns?: number;
  /** Resident memory of all of them, MB. Default: a quarter of the machine's. */
  readonly memoryMb?: number | undefined;
}

const LOOK_MS = 100;
const IDLE_MS = 30_000;
const MB = 1024 * 1024;

/**
 * The processes in which tenants' own programs run: one for each tenant that uses its program, never handed to another.
 * So the system shares processors among tenants, not among requests, and whatever a program does ends with its process.
 */
export class ProcessPool {
  readonly #maxProcesses: number;
  readonly #maxRuns: number;
  readonly #memoryBytes: number;
  readonly #queues = new Map<string, TenantQueue>();
  /** Started ahead, so that a tenant's first request does not wait for it. */
  #spare: GuestHost | undefined;
  /** All of them, with what they had computed when they were last looked at, ms. */
  readonly #all = new Map<GuestHost, number>();
  #watch: NodeJS.Timeout | undefined;
  #closed = false;
  #lastCheck = 0;
  /** What processes that have ended had computed when they were last looked at. */
  #endedCpuMs = 0;

  constructor({ maxProcesses = 32, maxRuns = MAX_RUNS, memoryMb = totalmem() / MB / 4 }: ProcessPoolOptions = {}) {
    this.#maxProcesses = maxProcesses;
    this.#maxRuns = maxRuns;
    this.#memoryBytes = memoryMb * MB;
  }

  /** Of all processes: their number, and what those that live use. */
  stats(): SandboxStats {
    const usages = [...this.#all.keys()].map(host => host.usage()).filter(usage => usage !== undefined);
    return {
      processes: this.#all.size,
      residentBytes: usages.reduce((sum, { residentBytes }) => sum + residentBytes, 0),
      cpuMs: usages.reduce((sum, { cpuMs }) => sum + cpuMs, this.#endedCpuMs),
    };
  }

  /** Sees to it that a process is ready for the next tenant. */
  warm(): void {
    if (this.#closed) return;
    this.#spare ??= this.#start();
  }

  /** Compiles a program in a process of its own, to see whether it can be; throws CompileFailed. */
  async check(digest: string, bytes: Uint8Array): Promise<void> {
    this.#checkOpen();
    const host = this.#take();
    try {
      await host.compile(--this.#lastCheck, digest, bytes);
    } finally {
      void host.close();
    }
  }

  /** A place in the tenant's process; waits for one until `signal` is aborted. */
  acquire(tenant: string, memoryMb: number, signal: AbortSignal): Promise<Place> {
    this.#checkOpen();
    signal.throwIfAborted();
    const queue = this.#queueOf(tenant);
    const { promise, resolve, reject } = Promise.withResolvers<Place>();
    const leave = () => {
      queue.waiting = queue.waiting.filter(other => other !== waiter);
      this.#tidy(queue);
      reject(signal.reason);
    };
    const waiter: Waiter = {
      memoryMb,
      take: place => {
        signal.removeEventListener('abort', leave);
        resolve(place);
      },
      refuse: error => {
        signal.removeEventListener('abort', leave);
        reject(error);
      },
    };
    signal.addEventListener('abort', leave, { once: true });
    queue.waiting.push(waiter);
    this.#serve(queue);
    return promise;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#watch);
    for (const queue of this.#queues.values()) {
      for (const waiter of queue.waiting.splice(0)) waiter.refuse(closedError());
    }
    await Promise.all([...this.#all.keys()].map(host => host.close()));
  }

  #queueOf(tenant: string): TenantQueue {
    let queue = this.#queues.get(tenant);
    if (!queue) {
      queue = { tenant, host: undefined, runs: new Map(), waiting: [], idleSince: performance.now() };
      this.#queues.set(tenant, queue);
    }
    return queue;
  }

  /** Gives places to the queue's waiters; a process that is busy with one run is not given others, which would be lost with it. */
  #serve(queue: TenantQueue): void {
    while (!this.#closed && queue.waiting.length > 0 && queue.runs.size < this.#maxRuns) {
      queue.host ??= this.#open();
      if (!queue.host || queue.host.busy) return;
      this.#enter(queue, queue.host, queue.waiting.shift()!);
    }
  }

  #enter(queue: TenantQueue, host: GuestHost, waiter: Waiter): void {
    const run = {};
    queue.runs.set(run, waiter.memoryMb);
    waiter.take({
      host,
      release: () => {
        if (!queue.runs.delete(run)) return;
        queue.idleSince = performance.now();
        this.#serve(queue);
        // Whoever has no process yet may take that of a tenant that is idle now.
        if (queue.runs.size === 0) this.#serveOthers();
      },
    });
  }

  /** A process for a tenant that has none, if there may be one more. */
  #open(): GuestHost | undefined {
    if (this.#hosted().length >= this.#maxProcesses && !this.#endIdle()) return undefined;
    const host = this.#take();
    this.warm();
    return host;
  }

  #endIdle(): boolean {
    const idle = this.#hosted().filter(queue => queue.runs.size === 0 && queue.waiting.length === 0);
    const longest = idle.sort((a, b) => a.idleSince - b.idleSince)[0];
    if (!longest) return false;
    void longest.host!.close();
    return true;
  }

  #hosted(): TenantQueue[] {
    return [...this.#queues.values()].filter(queue => queue.host !== undefined);
  }

  #take(): GuestHost {
    const host = this.#spare ?? this.#start();
    this.#spare = undefined;
    return host;
  }

  #start(): GuestHost {
    const host = new GuestHost(startGuestProcess, {
      onLost: lost => this.#lost(lost),
      onHandled: () => {
        for (const queue of this.#queues.values()) if (queue.host === host) this.#serve(queue);
      },
    });
    this.#all.set(host, 0);
    this.#watch ??= setInterval(() => this.#look(), LOOK_MS).unref();
    return host;
  }

  #lost(host: GuestHost): void {
    this.#endedCpuMs += this.#all.get(host) ?? 0;
    this.#all.delete(host);
    if (this.#spare === host) this.#spare = undefined;
    for (const queue of this.#queues.values()) {
      if (queue.host !== host) continue;
      queue.host = undefined;
      queue.runs.clear();
    }
    // Later: whoever ended it may be in the middle of serving.
    queueMicrotask(() => this.#serveOthers());
  }

  #serveOthers(): void {
    for (const queue of this.#queues.values()) {
      if (!queue.host) this.#serve(queue);
      this.#tidy(queue);
    }
  }

  #tidy(queue: TenantQueue): void {
    if (!queue.host && queue.waiting.length === 0) this.#queues.delete(queue.tenant);
  }

  /** Ten times a second: ends what hangs, what holds too much memory, and what has been idle for long. */
  #look(): void {
    const usages = new Map([...this.#all.keys()].map(host => [host, host.usage()] as const));
    for (const [host, usage] of usages) {
      if (usage) this.#all.set(host, usage.cpuMs);
      host.look(usage);
    }
    for (const queue of this.#hosted()) {
      limitMemory(queue, usages.get(queue.host!));
      // Whoever was not let in while a program computed is let in now, also where the process is never quite idle.
      this.#serve(queue);
      if (queue.host && queue.runs.size === 0 && performance.now() - queue.idleSince > IDLE_MS) void queue.host.close();
    }
    this.#limitTotal(usages);
    if (this.#all.size > 0) return;
    clearInterval(this.#watch);
    this.#watch = undefined;
  }

  /** When all together hold too much, the largest goes. */
  #limitTotal(usages: ReadonlyMap<GuestHost, Usage | undefined>): void {
    const living = [...usages].filter(([host, usage]) => usage && !host.lost) as [GuestHost, Usage][];
    const total = living.reduce((sum, [, { residentBytes }]) => sum + residentBytes, 0);
    if (total <= this.#memoryBytes) return;
    const [largest, { residentBytes }] = living.reduce((a, b) => (b[1].residentBytes > a[1].residentBytes ? b : a));
    const message = `its process, with ${toMb(residentBytes)} MB, was the largest of those that together exceeded ${toMb(this.#memoryBytes)} MB`;
    largest.end({ kind: 'out_of_memory', message });
  }

  #checkOpen(): void {
    if (this.#closed) throw closedError();
  }
}

function limitMemory(queue: TenantQueue, usage: Usage | undefined): void {
  const allowedMb = PROCESS_MB + [...queue.runs.values()].reduce((sum, memoryMb) => sum + memoryMb, 0);
  if (!usage || usage.residentBytes <= allowedMb * MB) return;
  const message = `its process took ${toMb(usage.residentBytes)} MB; ${allowedMb} are allowed`;
  queue.host?.end({ kind: 'out_of_memory', message });
}

const toMb = (bytes: number): number => Math.round(bytes / MB);
