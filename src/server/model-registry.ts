import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { RealmError } from '../errors.ts';
import type { ModelId } from '../sandbox/model-id.ts';
import type { MeteredModel } from './metered-model.ts';
import { type LoadsOptions, ModelLoads } from './model-loads.ts';
import { type ModelDefinition, type ModelSettings, ModelSlot } from './model-slot.ts';
import { unlessAborted } from './waiting.ts';

export interface RegistryOptions extends LoadsOptions {
  /** How long a request that has a model waits until another one begins to be loaded for it. Default 10 s. */
  readonly nestedMs?: number;
  /** Whether something else that requests can name is called that. */
  readonly isTaken?: (name: string) => boolean;
}

/** The right to use a model. It stays loaded until the lease is released. */
export interface ModelLease {
  readonly model: MeteredModel;
  /** Later calls do nothing. */
  release(): void;
}

export interface LeaseOptions {
  readonly signal?: AbortSignal | undefined;
  /** The request has another model meanwhile: it must not wait for what waits for it. */
  readonly nested?: boolean;
}

export type ModelListener = (slot: ModelSlot) => void;

/** Numbers of models that are created while a server runs begin here; those below are places in `realm.yaml`. */
export const firstOwnNumber = 1000;

/** All models that requests can name, loaded or not. One that requests have, or wait for, is never taken away. */
export class ModelRegistry {
  readonly #slots = new Map<ModelId, ModelSlot>();
  #lastNumber = -1;
  readonly #loads: ModelLoads;
  readonly #nestedMs: number;
  readonly #isTaken: (name: string) => boolean;
  readonly #listeners = new Set<ModelListener>();

  constructor({ nestedMs = 10_000, isTaken = () => false, ...options }: RegistryOptions) {
    const tell = (slot: ModelSlot) => this.#tell(slot);
    this.#loads = new ModelLoads(() => [...this.#slots.values()], tell, options);
    this.#nestedMs = nestedMs;
    this.#isTaken = isTaken;
  }

  /** In the order of their numbers. */
  get all(): ModelSlot[] {
    return [...this.#slots.values()].filter(({ removed }) => !removed).sort((a, b) => a.modelId - b.modelId);
  }

  /** Those that answer now. */
  get ready(): MeteredModel[] {
    return this.all.flatMap(({ model }) => model ?? []);
  }

  /** The model of that name or alias. */
  find(name: string): ModelSlot | undefined {
    for (const slot of this.#slots.values()) if (slot.isNamed(name)) return slot;
    return undefined;
  }

  /** The model that programs know by that number. */
  at(modelId: ModelId): ModelSlot | undefined {
    const slot = this.#slots.get(modelId);
    return slot?.removed ? undefined : slot;
  }

  /** Throws `model_exists`. `modelId`: no other model's, now or ever. */
  add(definition: ModelDefinition, modelId: ModelId): ModelSlot {
    this.checkFree(definition);
    const slot = new ModelSlot(definition, modelId);
    this.#slots.set(modelId, slot);
    this.#lastNumber = Math.max(this.#lastNumber, modelId);
    this.#tell(slot);
    return slot;
  }

  /** Throws `model_exists`. */
  checkFree({ id, aliases }: Pick<ModelDefinition, 'id' | 'aliases'>): void {
    for (const name of [id, ...aliases]) this.#checkFree(name);
  }

  /** The largest number that a model has or had; -1: there was none. */
  get lastNumber(): number {
    return this.#lastNumber;
  }

  /** One that somebody has loaded already. */
  adopt(model: MeteredModel, modelId: ModelId): ModelSlot {
    const fixed = { entry: {}, source: 'file', load: 'start', pinned: true, aliases: [] } as const;
    const slot = this.add({ id: model.id, ...fixed }, modelId);
    slot.need = 0;
    this.#loads.isReady(slot, model, { host: 0, gpu: 0 });
    return slot;
  }

  /** The model at once, if it is loaded. */
  take(slot: ModelSlot): ModelLease | undefined {
    const { model } = slot;
    if (model === undefined || slot.isLeaving) return undefined;
    clearTimeout(slot.idle);
    slot.leases++;
    let released = false;
    const release = () => {
      if (released) return;
      released = true;
      slot.leases--;
      slot.usedAt = performance.now();
      this.#rest(slot);
    };
    return { model, release };
  }

  /** The model, loaded where it is not. Throws `model_unavailable`, the reason of the signal. */
  async lease(slot: ModelSlot, { signal, nested = false }: LeaseOptions = {}): Promise<ModelLease> {
    slot.waiting++;
    try {
      for (;;) {
        signal?.throwIfAborted();
        if (slot.removed) throw removed(slot);
        const lease = this.take(slot);
        if (lease) return lease;
        await unlessAborted(nested ? this.#loadBeside(slot) : this.#load(slot), signal);
      }
    } finally {
      slot.waiting--;
      this.#rest(slot);
    }
  }

  /** Loads it for the operator: now, however often it has failed. Throws what is wrong with it. */
  async load(slot: ModelSlot): Promise<void> {
    if (slot.loading === undefined) slot.failure = undefined;
    try {
      (await this.lease(slot)).release();
    } catch (error) {
      throw (slot.failure as ModelSlot['failure'])?.error ?? error;
    }
  }

  /** Takes it away when those that have it have ended. Who asks for it meanwhile waits and has it loaded again. */
  unload(slot: ModelSlot): Promise<void> {
    slot.unloading ??= this.#unload(slot).finally(() => {
      slot.leaving = false;
      slot.unloading = undefined;
      this.#loads.change.happened();
    });
    return slot.unloading;
  }

  /** Throws `model_exists` for an alias that is another's. */
  update(slot: ModelSlot, changed: Partial<ModelSettings>): void {
    for (const alias of changed.aliases ?? []) if (!slot.isNamed(alias)) this.#checkFree(alias);
    slot.settings = { ...slot.settings, ...changed };
    this.#rest(slot);
    this.#tell(slot);
  }

  /** No request finds it from now on; resolves when those that have it have ended. */
  async remove(slot: ModelSlot): Promise<void> {
    slot.removed = true;
    this.#tell(slot);
    await this.unload(slot);
    this.#slots.delete(slot.modelId);
  }

  /** Calls with each model of which something changed, until the function that it gives is called. */
  watch(listener: ModelListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Everything is unloaded, whoever has it. */
  close(): Promise<void> {
    return this.#loads.stop();
  }

  #checkFree(name: string): void {
    if (this.find(name) === undefined && !this.#isTaken(name)) return;
    throw new RealmError(
      'model_exists',
      `There is a model or an adapter ${JSON.stringify(name)} already; use another name`,
    );
  }

  #tell(slot: ModelSlot): void {
    for (const listener of this.#listeners) listener(slot);
  }

  async #load(slot: ModelSlot): Promise<void> {
    await this.#loads.load(slot).catch(error => {
      // Others did not want it any more; whoever asks again does.
      if (!this.#loads.isUnwanted(error)) throw error;
    });
  }

  async #loadBeside(slot: ModelSlot): Promise<void> {
    const over = new AbortController();
    const late = async () => {
      await sleep(this.#nestedMs, undefined, { signal: over.signal });
      if (slot.progress !== undefined) return slot.loading;
      const message = `The model ${slot.id} has no place beside those that are in use; try again later`;
      throw new RealmError('model_unavailable', message, { retryAfter: 5, param: 'model' });
    };
    try {
      await Promise.race([this.#load(slot), late()]);
    } finally {
      over.abort();
    }
  }

  async #unload(slot: ModelSlot): Promise<void> {
    if (slot.loading) {
      await slot.loading.catch(() => {});
      // Those that waited for it take it in this turn.
      await turn();
    }
    slot.leaving = true;
    while (slot.model !== undefined && slot.leases > 0) await this.#loads.change.next();
    await this.#loads.close(slot);
  }

  /** Fewer requests have it or wait for it: it may go for another, or after its time. */
  #rest(slot: ModelSlot): void {
    if (slot.leases > 0) return;
    this.#loads.change.happened();
    clearTimeout(slot.idle);
    const { pinned, idleMs } = slot.settings;
    if (slot.model === undefined || pinned || idleMs === undefined || !slot.isIdle) return;
    slot.idle = setTimeout(() => {
      if (slot.isIdle) void this.#loads.close(slot);
    }, idleMs).unref();
  }
}

function removed({ id }: ModelSlot): RealmError {
  return new RealmError('model_not_found', `model: there is no model ${JSON.stringify(id)} any more`, {
    param: 'model',
  });
}
