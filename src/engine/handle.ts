import { Worker } from 'node:worker_threads';
import { RealmError } from '../errors.ts';
import { shareCompileLock } from '../kernels/module.ts';
import type { OpenOptions } from './open-model.ts';
import { type Deliveries, RequestStreams } from './request-streams.ts';
import type { Engine, EngineFailure, EngineInfo, EngineRequest, EngineStats } from './types.ts';

/** What the main thread says to an engine's worker. */
export type ToEngine =
  | { readonly kind: 'submit'; readonly id: number; readonly request: EngineRequest }
  | { readonly kind: 'cancel'; readonly id: number }
  | { readonly kind: 'stats' }
  | { readonly kind: 'close' };

/** What it answers. All events of one step come in one message. */
export type FromEngine =
  | { readonly kind: 'progress'; readonly loaded: number; readonly total: number }
  | { readonly kind: 'ready'; readonly info: EngineInfo }
  | { readonly kind: 'failed'; readonly failure: EngineFailure }
  | { readonly kind: 'events'; readonly deliveries: Deliveries }
  | { readonly kind: 'stats'; readonly stats: EngineStats }
  | { readonly kind: 'closed' };

/** What the worker is started with. */
export interface WorkerOptions extends OpenOptions {
  /** URL of a module whose `openModel` opens the model, for other kinds than open-model.ts knows. */
  readonly opener?: string;
}

export interface OpenEngineOptions extends WorkerOptions {
  /** Hears how many bytes of the weights are loaded. */
  readonly onProgress?: (loaded: number, total: number) => void;
}

/** Loads a model into an engine worker of its own. Throws what is wrong with the file, the model or the machine. */
export async function openEngine({ onProgress, ...options }: OpenEngineOptions): Promise<Engine> {
  shareCompileLock();
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: { engine: options } });
  const handle = new EngineHandle(worker, onProgress);
  try {
    const info = await handle.ready;
    return {
      info,
      submit: (request, signal) => handle.streams.stream(request, signal),
      stats: () => handle.stats(),
      close: () => handle.close(),
    };
  } catch (error) {
    await worker.terminate();
    throw error;
  }
}

/** The main thread's end of an engine worker. A worker that dies ends everything that waits on it. */
class EngineHandle {
  readonly ready: Promise<EngineInfo>;
  readonly streams: RequestStreams;
  readonly #worker: Worker;
  readonly #opening = Promise.withResolvers<EngineInfo>();
  readonly #closed = Promise.withResolvers<void>();
  readonly #statsWaiting: PromiseWithResolvers<EngineStats>[] = [];
  readonly #onProgress: OpenEngineOptions['onProgress'];
  #gone: RealmError | undefined;

  constructor(worker: Worker, onProgress: OpenEngineOptions['onProgress']) {
    this.#worker = worker;
    this.#onProgress = onProgress;
    this.ready = this.#opening.promise;
    this.streams = new RequestStreams({
      submit: (id, request) => this.#send({ kind: 'submit', id, request }),
      cancel: id => this.#send({ kind: 'cancel', id }),
    });
    worker.on('message', (message: FromEngine) => this.#receive(message));
    worker.on('messageerror', error => this.#died(`a message of the engine's thread is damaged: ${error.message}`));
    worker.on('error', (error: unknown) => this.#died(`the engine's thread failed: ${messageOf(error)}`));
    worker.on('exit', code => this.#died(`the engine's thread ended (${code})`));
  }

  async stats(): Promise<EngineStats> {
    if (this.#gone) throw this.#gone;
    const waiting = Promise.withResolvers<EngineStats>();
    this.#statsWaiting.push(waiting);
    this.#send({ kind: 'stats' });
    return waiting.promise;
  }

  async close(): Promise<void> {
    if (!this.#gone) {
      this.#send({ kind: 'close' });
      await this.#closed.promise;
      this.#end(new RealmError('shutting_down', 'the engine was closed'));
    }
    await this.#worker.terminate();
  }

  #send(message: ToEngine): void {
    this.#worker.postMessage(message);
  }

  #receive(message: FromEngine): void {
    switch (message.kind) {
      case 'progress':
        return this.#onProgress?.(message.loaded, message.total);
      case 'ready':
        return this.#opening.resolve(message.info);
      case 'failed': {
        const { code, message: text, param } = message.failure;
        return this.#opening.reject(new RealmError(code, text, { param }));
      }
      case 'events':
        return this.streams.deliver(message.deliveries);
      case 'stats':
        return this.#statsWaiting.shift()?.resolve(message.stats);
      case 'closed':
        return this.#closed.resolve();
      default:
        message satisfies never;
    }
  }

  #died(reason: string): void {
    this.#end(new RealmError('engine_failed', `${reason}; load the model again`));
  }

  #end(error: RealmError): void {
    this.#gone ??= error;
    this.#opening.reject(this.#gone);
    this.#closed.resolve();
    for (const waiting of this.#statsWaiting.splice(0)) waiting.reject(this.#gone);
    this.streams.fail(this.#gone);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
