import { platform } from '#platform';
import { RealmError } from '../../errors.ts';
import { createMailbox, Outbox, postedOutbox, type WritingEnd } from '../../platform/mailbox.ts';
import type { Thread } from '../../platform/platform.ts';
import type { Token } from '../../tokenizer/types.ts';
import type { SessionRequest } from '../cache/sessions.ts';
import { errorOf } from '../failure.ts';
import type { OpenOptions } from '../open-model.ts';
import type { EngineFailure, EventBatch, GenerateRequest, SequenceId } from '../request.ts';
import type { BrownOutLevel, Engine, EngineHealth, EngineInfo, EngineStats } from '../types.ts';
import { Heartbeat } from './heartbeat.ts';
import { RequestStreams } from './request-streams.ts';
import { sendable } from './sendable.ts';
import { Watchdog } from './watchdog.ts';

/** What the main thread says to an engine's worker. */
export type ToEngine =
  | { readonly kind: 'submit'; readonly id: SequenceId; readonly request: GenerateRequest }
  | { readonly kind: 'cancel'; readonly id: SequenceId }
  | { readonly kind: 'stats' }
  | { readonly kind: 'loadAdapter'; readonly call: number; readonly name: string; readonly path: string }
  | { readonly kind: 'unloadAdapter'; readonly call: number; readonly name: string }
  | {
      readonly kind: 'saveSession';
      readonly call: number;
      readonly request: SessionRequest;
      readonly tokens: readonly Token[];
    }
  | { readonly kind: 'restoreSession'; readonly call: number; readonly request: SessionRequest }
  | { readonly kind: 'close' };

/** What it is told by a message where it has a mailbox: something was written for it to read there. */
export type Wake = 'wake';

/** What it answers. All events of one step come in one message. */
export type FromEngine =
  /** The mailbox was full and has room again. */
  | { readonly kind: 'room' }
  | { readonly kind: 'progress'; readonly loaded: number; readonly total: number }
  | { readonly kind: 'ready'; readonly info: EngineInfo }
  | { readonly kind: 'failed'; readonly failure: EngineFailure }
  /** Its model is of no use any more. */
  | { readonly kind: 'broken'; readonly failure: EngineFailure }
  | { readonly kind: 'brownOut'; readonly level: BrownOutLevel }
  | { readonly kind: 'events'; readonly events: EventBatch }
  | { readonly kind: 'stats'; readonly stats: EngineStats }
  /** The end of call number `call`. */
  | { readonly kind: 'done'; readonly call: number; readonly failure?: EngineFailure; readonly result?: unknown }
  | { readonly kind: 'closed' };

/** What the thread is started with. */
export interface WorkerData {
  readonly engine: WorkerOptions;
  /** Where it reads what it is told, in the middle of a step too. Absent, where no memory is shared: it is told by messages. */
  readonly mailbox: SharedArrayBuffer | undefined;
  /** Where it says that its steps get on, to whom shares its memory. */
  readonly heartbeat: ArrayBufferLike;
}

export interface WorkerOptions extends OpenOptions {
  /** URL of a module whose `openModel` opens the model, for other kinds than open-model.ts knows. */
  readonly opener?: string;
  /** How long a token may wait for others to be sent with it, see EventBatcher. Default 40 ms. */
  readonly streamMs?: number | undefined;
  /** How long it may stand still in the middle of a step before it counts as dead, see Watchdog. Absent: nobody looks. */
  readonly watchdogMs?: number | undefined;
}

export interface OpenEngineOptions extends WorkerOptions {
  /** Hears how many bytes of the weights are loaded. */
  readonly onProgress?: ((loaded: number, total: number) => void) | undefined;
  /** Hears how much is given up under pressure, when that changes. */
  readonly onBrownOut?: ((level: BrownOutLevel) => void) | undefined;
}

/** Loads a model into an engine worker of its own. Throws what is wrong with the file, the model or the machine. */
export async function openEngine({ onProgress, onBrownOut, ...options }: OpenEngineOptions): Promise<Engine> {
  const mailbox = platform.sharesMemory ? createMailbox() : undefined;
  const [file, draft] = await Promise.all([sendable(options.file), options.draft && sendable(options.draft)]);
  const heartbeat = new Heartbeat();
  const data: WorkerData = { engine: { ...options, file, draft }, mailbox, heartbeat: heartbeat.shared };
  // Its tensors are no garbage: what is left dies young, and need not pile up.
  const thread = platform.startThread({ file: './worker.ts', from: import.meta.url }, data, { youngHeapMb: 8 });
  const handle = new EngineHandle(thread, mailbox, { onProgress, onBrownOut });
  try {
    const info = await handle.ready;
    if (options.watchdogMs !== undefined && mailbox) handle.watch(heartbeat, options.watchdogMs);
    return {
      info,
      ended: handle.ended,
      submit: (request, signal) => handle.streams.stream(request, signal),
      stats: () => handle.stats(),
      health: () => handle.health(),
      loadAdapter: (name, path) => handle.call(call => ({ kind: 'loadAdapter', call, name, path })),
      unloadAdapter: name => handle.call(call => ({ kind: 'unloadAdapter', call, name })),
      saveSession: (request, tokens) => handle.call(call => ({ kind: 'saveSession', call, request, tokens })),
      restoreSession: request => handle.call(call => ({ kind: 'restoreSession', call, request })),
      close: () => handle.close(),
    };
  } catch (error) {
    await thread.terminate();
    throw error;
  }
}

/** How long a thread has to give its device up. */
const leaveMs = 10_000;

type Listeners = Pick<OpenEngineOptions, 'onProgress' | 'onBrownOut'>;

/** The main thread's end of an engine worker. A worker that dies ends everything that waits on it. */
class EngineHandle {
  readonly ready: Promise<EngineInfo>;
  readonly streams: RequestStreams;
  readonly #thread: Thread;
  readonly #outbox: WritingEnd;
  readonly #opening = Promise.withResolvers<EngineInfo>();
  readonly #closed = Promise.withResolvers<void>();
  /** Its model is closed, or its thread is gone. */
  readonly #left = Promise.withResolvers<void>();
  #gone = false;
  readonly #statsWaiting: PromiseWithResolvers<EngineStats>[] = [];
  readonly #calls = new Map<number, PromiseWithResolvers<unknown>>();
  #nextCall = 0;
  readonly #listeners: Listeners;
  #brownOut: BrownOutLevel = 0;
  readonly #ended = new AbortController();
  #watching: ReturnType<typeof setInterval> | undefined;
  /** It was found to stand still, and its thread is not gone yet. */
  #stuck = false;

  constructor(thread: Thread, mailbox: SharedArrayBuffer | undefined, listeners: Listeners) {
    this.#thread = thread;
    this.#outbox = mailbox
      ? new Outbox(mailbox, () => thread.post('wake' satisfies Wake))
      : postedOutbox(message => thread.post(message));
    this.#listeners = listeners;
    this.ready = this.#opening.promise;
    this.streams = new RequestStreams({
      submit: (id, request) => this.#send({ kind: 'submit', id, request }),
      cancel: id => this.#send({ kind: 'cancel', id }),
    });
    thread.onMessage(message => this.#receive(message as FromEngine));
    thread.onEnd(reason => {
      this.#leftNow();
      this.#end(new RealmError('engine_failed', `the engine's thread ${reason}; load the model again`));
    });
  }

  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  health(): EngineHealth {
    const state = this.#stuck ? 'stuck' : this.ended.aborted ? 'ended' : 'running';
    return { state, restarts: 0, circuit: 'closed', brownOut: this.#brownOut };
  }

  /** Ends it when it stands still: in a step, or before messages that it does not read. */
  watch(heartbeat: Heartbeat, limitMs: number): void {
    const watchdog = new Watchdog(limitMs, () =>
      heartbeat.stepping
        ? { busy: true, beats: heartbeat.beats }
        : { busy: this.#outbox.unread, beats: this.#outbox.readBytes },
    );
    let last = performance.now();
    const look = (): void => {
      const now = performance.now();
      const silentMs = watchdog.look(now - last);
      last = now;
      if (silentMs !== undefined) this.#giveUp(silentMs);
    };
    this.#watching = setInterval(look, Watchdog.intervalMs(limitMs));
  }

  #giveUp(silentMs: number): void {
    this.#stuck = true;
    const seconds = (silentMs / 1000).toFixed(1);
    this.#end(new RealmError('engine_failed', `the engine stood still for ${seconds} s in the middle of its work`));
    void this.#leave().then(() => {
      this.#stuck = false;
    });
  }

  async stats(): Promise<EngineStats> {
    this.ended.throwIfAborted();
    const waiting = Promise.withResolvers<EngineStats>();
    this.#statsWaiting.push(waiting);
    this.#send({ kind: 'stats' });
    return waiting.promise;
  }

  /** Sends a message with a number and waits for its result. */
  async call<T>(message: (call: number) => ToEngine): Promise<T> {
    this.ended.throwIfAborted();
    const done = Promise.withResolvers<unknown>();
    const call = this.#nextCall++;
    this.#calls.set(call, done);
    this.#send(message(call));
    return (await done.promise) as T;
  }

  async close(): Promise<void> {
    if (!this.ended.aborted) {
      this.#send({ kind: 'close' });
      await this.#closed.promise;
      this.#end(new RealmError('shutting_down', 'the engine was closed'));
    }
    await this.#leave();
  }

  /**
   * Ends the thread. A driver's answer that is still on its way to a thread that was terminated ends the whole process:
   * an engine on a GPU gives its device up first, and where it does not its thread stays.
   */
  async #leave(): Promise<void> {
    const { onGpu = false } = await this.ready.catch(() => ({ onGpu: false }));
    if (onGpu && !this.#gone) {
      this.#send({ kind: 'close' });
      const late = Promise.withResolvers<void>();
      const timer = setTimeout(late.resolve, leaveMs);
      await Promise.race([this.#left.promise, late.promise]);
      clearTimeout(timer);
      if (!this.#gone) return this.#thread.unref();
    }
    await this.#thread.terminate();
  }

  #leftNow(): void {
    this.#gone = true;
    this.#left.resolve();
  }

  #send(message: ToEngine): void {
    this.#outbox.send(message);
  }

  #receive(message: FromEngine): void {
    switch (message.kind) {
      case 'room':
        return this.#outbox.flush();
      case 'progress':
        return this.#listeners.onProgress?.(message.loaded, message.total);
      case 'ready':
        return this.#opening.resolve(message.info);
      case 'failed':
        return this.#opening.reject(errorOf(message.failure));
      case 'brownOut':
        this.#brownOut = message.level;
        return this.#listeners.onBrownOut?.(message.level);
      case 'broken':
        return this.#end(errorOf(message.failure));
      case 'done': {
        const { call, failure, result } = message;
        const done = this.#calls.get(call);
        this.#calls.delete(call);
        return failure ? done?.reject(errorOf(failure)) : done?.resolve(result);
      }
      case 'events':
        return this.streams.deliver(message.events);
      case 'stats':
        return this.#statsWaiting.shift()?.resolve(message.stats);
      case 'closed':
        this.#leftNow();
        return this.#closed.resolve();
      default:
        message satisfies never;
    }
  }

  #end(error: RealmError): void {
    if (this.ended.aborted) return;
    clearInterval(this.#watching);
    this.#ended.abort(error);
    this.#opening.reject(error);
    this.#closed.resolve();
    for (const waiting of this.#statsWaiting.splice(0)) waiting.reject(error);
    for (const waiting of this.#calls.values()) waiting.reject(error);
    this.#calls.clear();
    this.streams.fail(error);
  }
}
