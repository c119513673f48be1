import { asRealmError, RealmError } from '../errors.ts';
import type { ModelId } from '../sandbox/model-id.ts';
import { mayUseModel, type Tenant } from '../tenancy/tenants.ts';
import type { MeteredModel } from './metered-model.ts';
import type { ModelSlot } from './model-slot.ts';

/** An adapter that requests can name, as if it were a model. It is loaded whenever its model is. */
export interface ServedAdapter {
  readonly id: string;
  /** The model that it changes. */
  readonly modelId: ModelId;
  readonly path: string;
  /** Where the configuration names its file. */
  readonly param?: string | undefined;
  /** Who may use it; absent: everyone. */
  readonly tenants?: readonly string[] | undefined;
  /** Since when it is there, seconds since 1970. */
  readonly created: number;
}

type NewAdapter = Pick<ServedAdapter, 'id' | 'path' | 'tenants' | 'param'>;

/** The models by name, as the registry of models has them. */
interface Names {
  find(name: string): ModelSlot | undefined;
  at(modelId: ModelId): ModelSlot | undefined;
}

/** The adapters of all models by name. Loading and unloading go on while requests are answered. */
export class AdapterRegistry {
  readonly #models: Names;
  readonly #adapters = new Map<string, ServedAdapter>();
  readonly #loading = new Set<string>();

  /** `models`: whose names no adapter may have. */
  constructor(models: Names) {
    this.#models = models;
  }

  /** Those that a tenant may use. */
  visible(tenant: Tenant): readonly ServedAdapter[] {
    return [...this.#adapters.values()].filter(adapter => this.#mayUse(tenant, adapter));
  }

  /** The adapter of that name if the tenant may use it; one that it may not does not exist for it. */
  find(id: string | undefined, tenant: Tenant): ServedAdapter | undefined {
    const adapter = this.#adapters.get(id ?? '');
    return adapter && this.#mayUse(tenant, adapter) ? adapter : undefined;
  }

  /** The number of the model that it is for, whoever may use it. Throws `adapter_not_found`. */
  modelOf(id: string): ModelId {
    return this.#known(id).modelId;
  }

  get names(): string[] {
    return [...this.#adapters.keys()];
  }

  isTaken(id: string): boolean {
    return this.#adapters.has(id) || this.#loading.has(id);
  }

  /** The tenant's own adapter for a model. Throws `adapter_not_found`: without it its answers would be another's. */
  ownOf(tenant: Tenant, modelId: ModelId): string | undefined {
    if (tenant.adapter === undefined) return undefined;
    const own = this.#adapters.get(tenant.adapter);
    if (own) return own.modelId === modelId ? own.id : undefined;
    throw new RealmError('adapter_not_found', `The adapter ${tenant.adapter} of this tenant is not loaded`);
  }

  /** Will be loaded with its model. Throws `adapter_exists`. */
  declare(modelId: ModelId, adapter: NewAdapter): void {
    this.#checkFree(adapter.id);
    this.#add(modelId, adapter);
  }

  /** Into a model that is loaded. Throws `adapter_exists`, and what is wrong with the file. */
  async load(modelId: ModelId, { engine }: MeteredModel, adapter: NewAdapter): Promise<ServedAdapter> {
    const { id, path } = adapter;
    this.#checkFree(id);
    this.#loading.add(id);
    try {
      await engine.loadAdapter(id, path);
      return this.#add(modelId, adapter);
    } finally {
      this.#loading.delete(id);
    }
  }

  /** Puts a model's adapters back into it: it has just been loaded. Throws what is wrong with a file. */
  async restore(modelId: ModelId, { engine }: MeteredModel): Promise<void> {
    for (const { id, path, param } of this.#of(modelId)) {
      try {
        await engine.loadAdapter(id, path);
      } catch (cause) {
        const { code, message } = asRealmError(cause);
        throw new RealmError(code, `${param ?? `adapter ${id}`}: ${path}: ${message}`, { param, cause });
      }
    }
  }

  /** No new request gets it from now on; resolves when those that have it have ended. `model`: its own, if that is loaded. Throws `adapter_not_found`. */
  async unload(id: string, model: MeteredModel | undefined): Promise<void> {
    this.#known(id);
    this.#adapters.delete(id);
    await model?.engine.unloadAdapter(id);
  }

  /** The model is served no more, and they with it. */
  forget(modelId: ModelId): void {
    for (const { id } of this.#of(modelId)) this.#adapters.delete(id);
  }

  #of(modelId: ModelId): ServedAdapter[] {
    return [...this.#adapters.values()].filter(adapter => adapter.modelId === modelId);
  }

  #mayUse(tenant: Tenant, { id, tenants, modelId }: ServedAdapter): boolean {
    const model = this.#models.at(modelId)?.id ?? '';
    if (!(tenant.adapters?.includes(id) ?? mayUseModel(tenant, model))) return false;
    return tenants === undefined || tenants.includes(tenant.id) || tenant.adapter === id;
  }

  #known(id: string): ServedAdapter {
    const adapter = this.#adapters.get(id);
    if (adapter) return adapter;
    throw new RealmError('adapter_not_found', `There is no adapter ${id}`, { param: 'lora_name' });
  }

  #checkFree(id: string): void {
    if (!this.isTaken(id) && this.#models.find(id) === undefined) return;
    throw new RealmError('adapter_exists', `There is a model or an adapter ${id} already; use another name`);
  }

  #add(modelId: ModelId, { id, path, tenants, param }: NewAdapter): ServedAdapter {
    const adapter = { id, modelId, path, tenants, param, created: Math.floor(Date.now() / 1000) };
    this.#adapters.set(id, adapter);
    return adapter;
  }
}
