import { RealmError } from '../errors.ts';
import type { ModelId } from '../sandbox/types.ts';
import { mayUseModel, type Tenant } from '../tenancy/tenants.ts';
import type { MeteredModel } from './metered-model.ts';

/** A model, and the number by which programs name it. */
export interface NumberedModel {
  readonly model: MeteredModel;
  readonly modelId: ModelId;
}

/** An adapter that requests can name, as if it were a model, and the model that it changes. */
export interface ServedAdapter extends NumberedModel {
  readonly id: string;
  /** Who may use it; absent: everyone. */
  readonly tenants?: readonly string[] | undefined;
  /** When it was loaded, seconds since 1970. */
  readonly created: number;
}

/** The adapters of all models by name. Loading and unloading go on while requests are answered. */
export class AdapterRegistry {
  readonly #models: readonly { readonly id: string }[];
  readonly #adapters = new Map<string, ServedAdapter>();
  readonly #loading = new Set<string>();

  /** `models`: whose names no adapter may have; it may grow. */
  constructor(models: readonly { readonly id: string }[]) {
    this.#models = models;
  }

  /** Those that a tenant may use. */
  visible(tenant: Tenant): readonly ServedAdapter[] {
    return [...this.#adapters.values()].filter(adapter => mayUse(tenant, adapter));
  }

  /** The adapter of that name if the tenant may use it; one that it may not does not exist for it. */
  find(id: string | undefined, tenant: Tenant): ServedAdapter | undefined {
    const adapter = this.#adapters.get(id ?? '');
    return adapter && mayUse(tenant, adapter) ? adapter : undefined;
  }

  /** The tenant's own adapter for a model. Throws `adapter_not_found`: without it its answers would be another's. */
  ownOf(tenant: Tenant, modelId: ModelId): string | undefined {
    if (tenant.adapter === undefined) return undefined;
    const own = this.#adapters.get(tenant.adapter);
    if (own) return own.modelId === modelId ? own.id : undefined;
    throw new RealmError('adapter_not_found', `The adapter ${tenant.adapter} of this tenant is not loaded`);
  }

  /** Throws `adapter_exists`, and what is wrong with the file. */
  async load(
    { model, modelId }: NumberedModel,
    request: Pick<ServedAdapter, 'id' | 'tenants'> & { path: string },
  ): Promise<ServedAdapter> {
    const { id, path, tenants } = request;
    const taken = this.#adapters.has(id) || this.#loading.has(id) || this.#models.some(each => each.id === id);
    if (taken) throw new RealmError('adapter_exists', `There is a model or an adapter ${id} already; use another name`);
    this.#loading.add(id);
    try {
      await model.engine.loadAdapter(id, path);
      const adapter = { id, model, modelId, tenants, created: Math.floor(Date.now() / 1000) };
      this.#adapters.set(id, adapter);
      return adapter;
    } finally {
      this.#loading.delete(id);
    }
  }

  /** No new request gets it from now on; resolves when those that have it have ended. Throws `adapter_not_found`. */
  async unload(id: string): Promise<void> {
    const adapter = this.#adapters.get(id);
    if (!adapter) throw new RealmError('adapter_not_found', `There is no adapter ${id}`, { param: 'lora_name' });
    this.#adapters.delete(id);
    await adapter.model.engine.unloadAdapter(id);
  }
}

function mayUse(tenant: Tenant, { id, tenants, model }: ServedAdapter): boolean {
  if (!(tenant.adapters?.includes(id) ?? mayUseModel(tenant, model.id))) return false;
  return tenants === undefined || tenants.includes(tenant.id) || tenant.adapter === id;
}
