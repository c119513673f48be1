import { Worker } from 'node:worker_threads';
import type { FromText, ToText } from './messages.ts';

/** How long the thread stays without work. */
const idleMs = 60_000;

export interface TextThreadOptions {
  readonly heapMb: number;
  readonly onAnswer: (answer: FromText) => void;
  /** The thread died, and the jobs that it had begun with it. The next message starts another. */
  readonly onLost: (reason: string) => void;
}

/** The serving thread's end of the thread for long texts, which starts with its first work and ends when it has none. */
export class TextThread {
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  readonly #options: TextThreadOptions;

  constructor(options: TextThreadOptions) {
    this.#options = options;
  }

  send(message: ToText): void {
    clearTimeout(this.#idle);
    this.#worker ??= this.#start();
    this.#worker.postMessage(message);
  }

  /** Says what matters only where the thread lives. */
  mention(message: ToText): void {
    this.#worker?.postMessage(message);
  }

  /** There is nothing to do for now. */
  rest(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => void this.close(), idleMs).unref();
  }

  async close(): Promise<void> {
    clearTimeout(this.#idle);
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }

  #start(): Worker {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), {
      name: 'realm-text',
      env: {},
      argv: [],
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: this.#options.heapMb, maxYoungGenerationSizeMb: 32 },
    });
    let reason = 'it ended';
    worker.on('message', this.#options.onAnswer);
    worker.on('error', error => {
      reason = error instanceof Error ? error.message : String(error);
    });
    worker.on('exit', () => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      this.#options.onLost(reason);
    });
    worker.unref();
    return worker;
  }
}
