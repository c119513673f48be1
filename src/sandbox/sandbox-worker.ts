import { Worker } from 'node:worker_threads';
import { BUSY, type FromWorker, PULSE_BYTES, type ToWorker, TURN } from './messages.ts';

/** Why a worker ended while it had runs. */
export type Loss = { readonly kind: 'hung' | 'out_of_memory' | 'died' | 'closed'; readonly message: string };

/** A run as its worker sees it. */
export interface WorkerRun {
  readonly sliceMs: number;
  receive(message: FromWorker): void;
  lost(loss: Loss): void;
}

const WATCH_MS = 100;

/** The main thread's side of one sandbox worker: sends to it, hands out what it says, and ends it when it hangs. */
export class SandboxWorker {
  readonly #worker: Worker;
  readonly #pulse = new Int32Array(new SharedArrayBuffer(PULSE_BYTES));
  readonly #runs = new Map<number, WorkerRun>();
  readonly #onLost: (worker: SandboxWorker) => void;
  #outbox: ToWorker[] = [];
  #loss: Loss | undefined;
  #watch: NodeJS.Timeout | undefined;
  #seen = { turn: -1, since: 0 };

  /** `onLost` is called once, when the worker can no longer be used and before its runs are told. */
  constructor(options: { heapMb: number; onLost: (worker: SandboxWorker) => void }) {
    this.#onLost = options.onLost;
    this.#worker = new Worker(new URL('./worker.ts', import.meta.url), {
      name: 'realm-sandbox',
      workerData: { pulse: this.#pulse.buffer },
      env: {},
      argv: [],
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: options.heapMb, maxYoungGenerationSizeMb: 8, stackSizeMb: 2 },
    });
    this.#worker.on('message', (batch: FromWorker[]) => this.#receive(batch));
    this.#worker.on('error', (error: Error & { code?: string }) => this.#died(error));
    this.#worker.on('exit', () => this.#lose({ kind: 'died', message: 'its worker exited' }));
    // After the listeners: those hold the process.
    this.#worker.unref();
  }

  get lost(): boolean {
    return this.#loss !== undefined;
  }

  get runCount(): number {
    return this.#runs.size;
  }

  /** Registers a run under the number that its messages carry. */
  attach(id: number, run: WorkerRun): void {
    this.#runs.set(id, run);
    this.#watch ??= setInterval(() => this.#look(), WATCH_MS).unref();
  }

  /** All that is sent during one turn of the event loop leaves as one message. */
  send(message: ToWorker): void {
    if (this.#outbox.push(message) === 1) setImmediate(() => this.#flush());
  }

  async close(): Promise<void> {
    this.#lose({ kind: 'closed', message: 'the sandbox was closed' });
    await this.#worker.terminate();
  }

  #flush(): void {
    if (!this.#loss) this.#worker.postMessage(this.#outbox);
    this.#outbox = [];
  }

  #receive(batch: FromWorker[]): void {
    for (const message of batch) {
      const run = this.#runs.get(message.run);
      if (message.kind === 'end') this.#detach(message.run);
      run?.receive(message);
    }
  }

  #detach(id: number): void {
    this.#runs.delete(id);
    if (this.#runs.size > 0) return;
    clearInterval(this.#watch);
    this.#watch = undefined;
  }

  /** Ends the worker when programs have had the same turn for longer than the most patient of its runs allows. */
  #look(): void {
    const turn = Atomics.load(this.#pulse, TURN);
    const now = performance.now();
    if (Atomics.load(this.#pulse, BUSY) === 0 || turn !== this.#seen.turn) {
      this.#seen = { turn, since: now };
      return;
    }
    const sliceMs = Math.max(...[...this.#runs.values()].map(run => run.sliceMs));
    if (now - this.#seen.since < sliceMs) return;
    this.#lose({ kind: 'hung', message: `computed for more than ${sliceMs} ms without giving way` });
    void this.#worker.terminate();
  }

  #died(error: Error & { code?: string }): void {
    const outOfMemory = error.code === 'ERR_WORKER_OUT_OF_MEMORY';
    this.#lose(
      outOfMemory
        ? { kind: 'out_of_memory', message: "its worker's heap is full" }
        : { kind: 'died', message: `its worker failed: ${error.message}` },
    );
  }

  #lose(loss: Loss): void {
    if (this.#loss) return;
    this.#loss = loss;
    clearInterval(this.#watch);
    this.#onLost(this);
    const runs = [...this.#runs.values()];
    this.#runs.clear();
    for (const run of runs) run.lost(loss);
  }
}
