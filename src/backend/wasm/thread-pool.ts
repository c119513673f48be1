/** A pool of threads over one set of memories and kernels; the thread that owns it is number 0. */
import { platform } from '#platform';
import { RealmError } from '../../errors.ts';
import type { Thread } from '../../platform/platform.ts';
import type { QuantType } from '../../quant/types.ts';
import type { Preempt } from '../backend.ts';
import { CommandBuffer } from './command-buffer.ts';
import type { ThreadData } from './thread.ts';
import { type Part, ThreadContext } from './thread-context.ts';

export class ThreadPool {
  readonly commands: CommandBuffer;
  readonly #context: ThreadContext;
  readonly #workers: Thread[] = [];
  #dead: Error | undefined;

  /** `scratch`: address of each thread's own scratch. */
  private constructor(threads: number, context: ThreadContext) {
    this.commands = new CommandBuffer(threads);
    this.#context = context;
  }

  static async start(
    threads: number,
    scratch: (thread: number) => number,
    types: readonly QuantType[],
    maxTile: number,
  ): Promise<ThreadPool> {
    const pool = new ThreadPool(threads, new ThreadContext(scratch(0), types, maxTile));
    const data = { shared: pool.commands.shared, threads, types, maxTile };
    const others = Array.from({ length: threads - 1 }, (_, i) => startThread({ ...data, scratch: scratch(i + 1) }));
    for (const worker of await Promise.all(others)) pool.#join(worker);
    return pool;
  }

  get threads(): number {
    return this.commands.threads;
  }

  /** Why a thread is gone; undefined while all are alive, as far as is known. */
  get failure(): Error | undefined {
    return this.#dead;
  }

  /** Hands a memory or kernels to every thread. Only between steps. */
  add(part: Part): void {
    this.#context.add(part);
    for (const worker of this.#workers) worker.post(part);
    this.commands.parts = this.#context.parts;
  }

  /**
   * Works through the commands; returns the fraction that was done, 1 unless it was preempted. Throws `engine_failed` when a
   * kernel threw or a thread is gone; the pool cannot be used any more.
   */
  run(preempt?: Preempt): number {
    if (this.#dead) throw lost(this.#dead);
    const { length } = this.commands;
    const outcome = this.commands.start(this.#context, preempt);
    if (outcome === 'failed') throw new RealmError('engine_failed', 'a kernel failed');
    if (outcome === 'stalled') {
      this.#dead = new Error('stopped in the middle of a step');
      throw lost(this.#dead);
    }
    return this.commands.done / length;
  }

  async close(): Promise<void> {
    this.commands.stop();
    await Promise.all(this.#workers.map(worker => worker.terminate()));
  }

  #join(worker: Thread): void {
    this.#workers.push(worker);
    worker.onEnd(reason => {
      this.#dead ??= new Error(reason);
    });
  }
}

function lost(cause: Error): RealmError {
  const message = `a compute thread died: it ${cause.message}; load the model again`;
  return new RealmError('engine_failed', message, { cause });
}

function startThread(data: ThreadData): Promise<Thread> {
  const worker = platform.startThread({ file: './thread.ts', from: import.meta.url }, { computeThread: data });
  return new Promise((resolve, reject) => {
    worker.onMessage(() => {
      worker.unref();
      resolve(worker);
    });
    worker.onEnd(reason => reject(lost(new Error(reason))));
  });
}
