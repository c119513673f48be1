import { asRealmError, RealmError } from '../errors.ts';
import { type HeldMemory, heldMemory } from '../telemetry/memory.ts';
import type { MeteredModel } from './metered-model.ts';
import { ModelMemory } from './model-memory.ts';
import type { ModelDefinition, ModelSlot } from './model-slot.ts';
import { Change } from './waiting.ts';

/** What loading a model takes: the part that is no book-keeping. */
export interface ModelLoader {
  /** Bytes of this machine's memory that the model takes at least. Fetches what is not on this machine. */
  need(definition: ModelDefinition, signal: AbortSignal): Promise<number>;
  load(slot: ModelSlot, options: LoadingOptions): Promise<MeteredModel>;
  /** Its engine is gone: what others keep for it may go too. */
  unloaded?(model: MeteredModel): void;
}

export interface LoadingOptions {
  /** Bytes that it may take. */
  readonly memory: number | undefined;
  readonly onProgress: (loaded: number, total: number) => void;
  /** Its engine was opened again, maybe on another device. */
  readonly onRestarted: () => void;
  readonly signal: AbortSignal;
}

export interface LoadsOptions {
  readonly loader: ModelLoader;
  readonly memory?: ModelMemory;
  /** How long a model waits for another to be idle before that one takes no more requests. Default 2 s. */
  readonly patienceMs?: number;
  /** The wait after a failed try; after each further one it is twice as long, up to a minute. Default 1 s. */
  readonly retryMs?: number;
}

const longestRetryMs = 60_000;
const unwanted = new RealmError('request_cancelled', 'Nobody waits for the model any more');

/** Which models are in memory. They are loaded one after the other; an idle one goes where another needs its place. */
export class ModelLoads {
  /** A model became idle, or is wanted no longer. */
  readonly change = new Change();
  readonly #slots: () => readonly ModelSlot[];
  readonly #tell: (slot: ModelSlot) => void;
  readonly #loader: ModelLoader;
  readonly #memory: ModelMemory;
  readonly #patienceMs: number;
  readonly #retryMs: number;
  readonly #stopping = new AbortController();
  /** The end of the last load in the queue. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(
    slots: () => readonly ModelSlot[],
    tell: (slot: ModelSlot) => void,
    { loader, memory = new ModelMemory(), patienceMs = 2_000, retryMs = 1_000 }: LoadsOptions,
  ) {
    this.#slots = slots;
    this.#tell = tell;
    this.#loader = loader;
    this.#memory = memory;
    this.#patienceMs = patienceMs;
    this.#retryMs = retryMs;
  }

  /** Many calls at once load it once. Throws `model_unavailable`. Given up where nobody waits for it when it may begin. */
  load(slot: ModelSlot): Promise<void> {
    if (slot.failure && performance.now() < slot.failure.retryAt) return Promise.reject(slot.unavailable());
    slot.loading ??= this.#load(slot).finally(() => {
      slot.loading = undefined;
      slot.progress = undefined;
    });
    return slot.loading;
  }

  /** Whether a load ended because nobody waited for it then. */
  isUnwanted(error: unknown): boolean {
    return error === unwanted;
  }

  /** Its engine ends now, whoever has it, and gives its memory back. */
  close(slot: ModelSlot): Promise<void> {
    const { model } = slot;
    if (model === undefined) return slot.closing ?? Promise.resolve();
    clearTimeout(slot.idle);
    slot.model = undefined;
    slot.yielding = false;
    slot.state = 'unloaded';
    slot.loadedAt = undefined;
    const closing = this.#closeEngine(slot, model).finally(() => {
      if (slot.closing === closing) slot.closing = undefined;
    });
    slot.closing = closing;
    this.#tell(slot);
    return closing;
  }

  async #closeEngine(slot: ModelSlot, model: MeteredModel): Promise<void> {
    await model.engine.close();
    slot.memory = slot.gpuMemory = 0;
    this.#memory.give(slot.modelId);
    this.#loader.unloaded?.(model);
    this.change.happened();
    this.#tell(slot);
  }

  /** Nothing is loaded from now on, and all models are closed. */
  async stop(): Promise<void> {
    this.#stopping.abort(new RealmError('shutting_down', 'The server is stopping'));
    this.change.happened();
    await Promise.all(this.#slots().map(({ loading }) => loading?.catch(() => {})));
    await Promise.all(this.#slots().map(slot => this.close(slot)));
  }

  /** The model is loaded, and takes so much. */
  isReady(slot: ModelSlot, model: MeteredModel, held: HeldMemory): void {
    const wasOnGpu = slot.remembered?.info.onGpu;
    const { created, defaults, format, template, engine } = model;
    slot.model = model;
    slot.remembered = { created, defaults, format, info: engine.info, template: template.source };
    slot.state = 'ready';
    slot.failure = undefined;
    this.#takes(slot, held);
    // What lies on a GPU needs no place here the next time either.
    if (held.gpu > 0) slot.need = held.host;
    else if (wasOnGpu) slot.need = undefined;
    slot.loadedAt = Date.now();
    slot.usedAt = performance.now();
    const ended = () => this.#engineEnded(slot, model);
    if (engine.ended.aborted) ended();
    else engine.ended.addEventListener('abort', ended, { once: true });
    this.#tell(slot);
  }

  #takes(slot: ModelSlot, { host, gpu }: HeldMemory): void {
    slot.memory = host;
    slot.gpuMemory = gpu;
    this.#memory.take(slot.modelId, host);
  }

  /** What it takes now. */
  async #weigh(slot: ModelSlot): Promise<void> {
    const { model } = slot;
    const stats = await model?.engine.stats().catch(() => undefined);
    if (stats === undefined || slot.model !== model) return;
    this.#takes(slot, heldMemory(stats.memory));
    this.#tell(slot);
  }

  /** By itself, where nobody has closed it: the next request has the model loaded again. */
  #engineEnded(slot: ModelSlot, model: MeteredModel): void {
    if (slot.model !== model) return;
    void this.close(slot);
    this.#failed(slot, asRealmError(model.engine.ended.reason));
  }

  async #load(slot: ModelSlot): Promise<void> {
    const { signal } = this.#stopping;
    try {
      signal.throwIfAborted();
      if (slot.leaving) await slot.unloading;
      await slot.closing;
      if (slot.model === undefined) this.#isLoading(slot);
      slot.need ??= await this.#loader.need(slot.definition, signal);
      const { need } = slot;
      const turn = this.#turn.then(() => this.#loadNow(slot, need));
      this.#turn = turn.catch(() => {});
      await turn;
    } catch (error) {
      if (error !== unwanted && !signal.aborted) throw this.#failed(slot, asRealmError(error));
      if (slot.model === undefined) slot.state = 'unloaded';
      this.#tell(slot);
      throw error;
    }
  }

  #isLoading(slot: ModelSlot): void {
    slot.state = 'loading';
    this.#tell(slot);
  }

  #failed(slot: ModelSlot, error: RealmError): RealmError {
    const tries = (slot.failure?.tries ?? 0) + 1;
    const wait = Math.min(longestRetryMs, this.#retryMs * 2 ** (tries - 1));
    slot.failure = { error, tries, retryAt: performance.now() + wait };
    slot.state = 'failed';
    slot.need = undefined;
    this.#tell(slot);
    return slot.unavailable();
  }

  async #loadNow(slot: ModelSlot, need: number): Promise<void> {
    const { signal } = this.#stopping;
    if (slot.model !== undefined) return;
    await this.#makeRoom(slot, need);
    this.#isLoading(slot);
    const onProgress = (loaded: number, total: number) => {
      slot.progress = { loaded, total };
      this.#tell(slot);
    };
    onProgress(0, need);
    const unloaded = this.#slots().filter(({ model }) => model === undefined).length;
    const memory = this.#memory.share(need, Math.max(1, unloaded));
    const onRestarted = () => void this.#weigh(slot);
    const model = await this.#loader.load(slot, { memory, onProgress, onRestarted, signal });
    this.isReady(slot, model, heldMemory((await model.engine.stats()).memory));
  }

  /** Has others go until so many bytes are free, as far as they may; waits for those that are in use. */
  async #makeRoom(slot: ModelSlot, need: number): Promise<void> {
    const began = performance.now();
    let asked: ModelSlot | undefined;
    try {
      for (;;) {
        this.#stopping.signal.throwIfAborted();
        if (slot.waiting === 0) throw unwanted;
        const { free = Number.POSITIVE_INFINITY } = this.#memory;
        const others = this.#evictable();
        if (free >= need || (others.length === 0 && !this.#memory.strict)) return;
        this.#refuseTooLarge(slot, need, free, others);
        const idle = others.find(({ isIdle }) => isIdle);
        if (idle) await this.close(idle);
        else {
          const patience = began + this.#patienceMs - performance.now();
          // Used without a pause it would stay for ever.
          if (patience <= 0) asked ??= askToYield(others[0]!);
          await this.change.next(asked ? undefined : patience);
        }
      }
    } finally {
      if (asked) asked.yielding = false;
    }
  }

  /** Those that may go for another, the one used longest ago first. What is merely free at the start is no reason for a model of the start to go. */
  #evictable(): ModelSlot[] {
    const may = ({ model, settings, definition: { load } }: ModelSlot) =>
      model !== undefined && !settings.pinned && (load === 'demand' || this.#memory.strict);
    return this.#slots()
      .filter(may)
      .sort((a, b) => a.usedAt - b.usedAt);
  }

  #refuseTooLarge({ id }: ModelSlot, need: number, free: number, others: readonly ModelSlot[]): void {
    const most = free + others.reduce((sum, { memory }) => sum + memory, 0);
    if (!this.#memory.strict || most >= need) return;
    const mb = (bytes: number) => Math.ceil(bytes / 1e6);
    const message = `${id} needs ${mb(need)} MB and may have ${mb(most)} MB beside the models that stay; raise server.memory_mb, or unpin or unload a model`;
    throw new RealmError('out_of_memory', message);
  }
}

function askToYield(slot: ModelSlot): ModelSlot {
  slot.yielding = true;
  return slot;
}
