import type { EngineInfo } from '../engine/types.ts';
import { RealmError } from '../errors.ts';
import type { LoadedModel } from '../llm/load.ts';
import type { ModelId } from '../sandbox/model-id.ts';
import type { ModelEntry } from '../tenancy/config.ts';
import type { MeteredModel } from './metered-model.ts';

export type ModelState = 'unloaded' | 'loading' | 'ready' | 'failed';

/** What may be changed of a model while it is served. */
export interface ModelSettings {
  /** It goes neither for others' sake nor after a time without requests. */
  readonly pinned: boolean;
  /** Other names of it. */
  readonly aliases: readonly string[];
  /** How long it stays without requests; absent: for ever. */
  readonly idleMs?: number | undefined;
}

/** A model that the server may load. */
export interface ModelDefinition extends ModelSettings {
  readonly id: string;
  readonly entry: Partial<ModelEntry>;
  /** `file`: `realm.yaml` or the command line names it; `store`: the operator did while the server ran. */
  readonly source: 'file' | 'store';
  readonly load: 'start' | 'demand';
}

/** Why a model is not there, and after which time (`performance.now()`) it is tried again. */
export interface ModelFailure {
  readonly error: RealmError;
  /** Tries that failed one after the other. */
  readonly tries: number;
  readonly retryAt: number;
}

/** What is known of a model that is not loaded, from the last time that it was. */
interface Remembered extends Pick<LoadedModel, 'created' | 'defaults' | 'format'> {
  readonly info: EngineInfo;
  /** The source of its chat template. */
  readonly template: string;
}

/** A model that requests can name, loaded or not, under a number that no other model ever has. The registry alone changes it. */
export class ModelSlot {
  readonly id: string;
  readonly modelId: ModelId;
  readonly definition: ModelDefinition;
  settings: ModelSettings;
  state: ModelState = 'unloaded';
  model: MeteredModel | undefined;
  remembered: Remembered | undefined;
  failure: ModelFailure | undefined;
  progress: { readonly loaded: number; readonly total: number } | undefined;
  /** Requests that have it. */
  leases = 0;
  /** Requests that wait until they have it. */
  waiting = 0;
  /** Another model needs its place: it goes as soon as no request has it, and no more get it before. */
  yielding = false;
  /** Bytes of this machine's memory that it takes. */
  memory = 0;
  /** Bytes that it takes of a GPU's. */
  gpuMemory = 0;
  /** Bytes of this machine's memory that it takes at least, when that is known. */
  need: number | undefined;
  /** Milliseconds since 1970. */
  loadedAt: number | undefined;
  /** On the clock of `performance.now()`. */
  usedAt = 0;
  loading: Promise<void> | undefined;
  /** The operator wants it to go: once it is loaded, if it is being loaded, and those that waited for that have had it. */
  unloading: Promise<void> | undefined;
  leaving = false;
  /** Its engine is giving its memory back. */
  closing: Promise<void> | undefined;
  idle: NodeJS.Timeout | undefined;
  /** No request finds it any more. */
  removed = false;
  readonly #created = Math.floor(Date.now() / 1000);

  constructor(definition: ModelDefinition, modelId: ModelId) {
    const { id, pinned, aliases, idleMs } = definition;
    this.id = id;
    this.modelId = modelId;
    this.definition = definition;
    this.settings = { pinned, aliases, idleMs };
  }

  /** Where it is computed; undefined while it is not loaded. */
  get device(): string | undefined {
    return this.model && (this.model.engine.info.device ?? 'cpu');
  }

  /** No more requests get it. */
  get isLeaving(): boolean {
    return this.yielding || this.leaving;
  }

  /** No request has it, and none that waits for it will have it before it goes. */
  get isIdle(): boolean {
    return this.leases === 0 && (this.waiting === 0 || this.isLeaving);
  }

  /** Seconds since 1970: when it was loaded, or became known. */
  get created(): number {
    return this.remembered?.created ?? this.#created;
  }

  /** Used by requests that do not say themselves, as far as it is known. */
  get defaults(): LoadedModel['defaults'] {
    const { system, sampling } = this.definition.entry;
    return this.remembered?.defaults ?? { system, ...(sampling && { sampling }) };
  }

  isNamed(name: string): boolean {
    return !this.removed && (this.id === name || this.settings.aliases.includes(name));
  }

  /** What a request is told that cannot have it: nothing of the operator's files. */
  unavailable(now = performance.now()): RealmError {
    const { error, retryAt } = this.failure!;
    // What happened to a model that was answering is known by its own name.
    if (error.code === 'engine_failed') return error;
    const retryAfter = Math.max(1, Math.ceil((retryAt - now) / 1000));
    const message = `The model ${this.id} cannot be loaded (${error.code}); it is tried again in ${retryAfter} s, and whoever runs the server sees why in GET /admin/v1/models`;
    return new RealmError('model_unavailable', message, { retryAfter, param: 'model', cause: error });
  }
}
