import { RealmError } from '../errors.ts';
import { SandboxWorker } from './sandbox-worker.ts';

interface Waiter {
  readonly tenant: string;
  take(worker: SandboxWorker): void;
  refuse(error: Error): void;
}

/**
 * The sandbox workers: one that all trusted programs share, and up to `maxWorkers` in which tenants' programs run
 * alone, one after another. Who finds none free waits; the tenant with the fewest runs is served first.
 */
export class WorkerPool {
  readonly #maxWorkers: number;
  #shared: SandboxWorker | undefined;
  readonly #own = new Set<SandboxWorker>();
  #idle: SandboxWorker[] = [];
  readonly #users = new Map<SandboxWorker, string>();
  #waiters: Waiter[] = [];
  #closed = false;

  constructor(maxWorkers: number) {
    this.#maxWorkers = maxWorkers;
  }

  get size(): number {
    return this.#own.size;
  }

  shared(): SandboxWorker {
    this.#checkOpen();
    this.#shared ??= new SandboxWorker({
      heapMb: 128,
      onLost: () => {
        this.#shared = undefined;
      },
    });
    return this.#shared;
  }

  /** Sees to it that a worker is ready for the next program, if one may be added. */
  warm(): void {
    if (!this.#closed && this.#idle.length === 0 && this.#own.size < this.#maxWorkers) this.#idle.push(this.#add());
  }

  /** A worker of one's own, to be given back by `release`; waits for one until `signal` is aborted. */
  async acquire(tenant: string, signal: AbortSignal): Promise<SandboxWorker> {
    this.#checkOpen();
    signal.throwIfAborted();
    const worker = this.#idle.pop() ?? (this.#own.size < this.#maxWorkers ? this.#add() : undefined);
    if (!worker) return this.#wait(tenant, signal);
    this.#users.set(worker, tenant);
    this.warm();
    return worker;
  }

  release(worker: SandboxWorker): void {
    if (!this.#users.delete(worker) || worker.lost) return;
    this.#idle.push(worker);
    this.#serve();
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const waiter of this.#waiters.splice(0)) waiter.refuse(closedError());
    await Promise.all([this.#shared, ...this.#own].map(worker => worker?.close()));
  }

  #add(): SandboxWorker {
    const worker = new SandboxWorker({ heapMb: 64, onLost: lost => this.#remove(lost) });
    this.#own.add(worker);
    return worker;
  }

  #remove(worker: SandboxWorker): void {
    this.#own.delete(worker);
    this.#users.delete(worker);
    this.#idle = this.#idle.filter(idle => idle !== worker);
    if (this.#closed) return;
    this.warm();
    this.#serve();
  }

  #wait(tenant: string, signal: AbortSignal): Promise<SandboxWorker> {
    const { promise, resolve, reject } = Promise.withResolvers<SandboxWorker>();
    const leave = () => {
      this.#waiters = this.#waiters.filter(other => other !== waiter);
      reject(signal.reason);
    };
    const waiter: Waiter = {
      tenant,
      take: worker => {
        signal.removeEventListener('abort', leave);
        resolve(worker);
      },
      refuse: error => {
        signal.removeEventListener('abort', leave);
        reject(error);
      },
    };
    signal.addEventListener('abort', leave, { once: true });
    this.#waiters.push(waiter);
    return promise;
  }

  /** Gives idle workers to those who wait. */
  #serve(): void {
    while (this.#waiters.length > 0 && this.#idle.length > 0) {
      const running = (tenant: string) => [...this.#users.values()].filter(user => user === tenant).length;
      const next = this.#waiters.reduce((best, other) => (running(other.tenant) < running(best.tenant) ? other : best));
      this.#waiters = this.#waiters.filter(other => other !== next);
      const worker = this.#idle.pop()!;
      this.#users.set(worker, next.tenant);
      next.take(worker);
    }
  }

  #checkOpen(): void {
    if (this.#closed) throw closedError();
  }
}

const closedError = () => new RealmError('shutting_down', 'The server is shutting down; send the request again later.');
