import { RealmError } from '../../errors.ts';
import type { ModelId } from '../../sandbox/model-id.ts';
import { mayUseModel } from '../../tenancy/tenants.ts';
import type { MeteredModel } from '../metered-model.ts';
import { baseModel, holdModel } from '../services.ts';
import type { TextCall } from '../text/service.ts';
import type { ChoiceContext } from './context.ts';

/** The models and adapters that a run may use: those of its tenant, or of the key that was used. */
export class RunModels {
  readonly #context: ChoiceContext;

  constructor(context: ChoiceContext) {
    this.#context = context;
  }

  /** Stays loaded as long as the request lasts. Throws `model_not_found`, `model_unavailable`. */
  async find(modelId: ModelId): Promise<MeteredModel> {
    const { services, job, exchange } = this.#context;
    const slot = services.models.at(modelId);
    // The request's own was checked: an adapter may be allowed where its model is not.
    if (slot && (modelId === job.slot.modelId || mayUseModel(job.tenant, slot.id)))
      return holdModel(services, exchange, job.tenant, slot);
    throw new RealmError('model_not_found', `The program asked for model ${modelId}, which does not exist`);
  }

  /** An empty name: the request's own. Throws `model_not_found`. */
  named(name: string): ModelId {
    const { services, job } = this.#context;
    return name === '' ? job.slot.modelId : baseModel(services, name, job.tenant).modelId;
  }

  /** The one that is asked for, the request's or the tenant's. Throws `adapter_not_found`. */
  adapterOf(modelId: ModelId, asked?: string): string | undefined {
    const { services, job } = this.#context;
    if (asked !== undefined) return this.#allowed(modelId, asked);
    return modelId === job.slot.modelId ? job.adapter : services.adapters.ownOf(job.tenant, modelId);
  }

  /** For work on its text. */
  async call(modelId: ModelId): Promise<TextCall & { readonly model: MeteredModel }> {
    const { job, exchange } = this.#context;
    return { owner: job.tenant, model: await this.find(modelId), signal: exchange.signal };
  }

  #allowed(modelId: ModelId, name: string): string {
    const { services, job } = this.#context;
    const found = services.adapters.find(name, job.tenant);
    if (found?.modelId === modelId) return found.id;
    throw new RealmError('adapter_not_found', `The program asked for adapter ${name}, which its model does not have`);
  }
}
