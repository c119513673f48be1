import { createHash } from 'node:crypto';
import { mayUseModel, type Tenant } from '../../tenancy/tenants.ts';
import type { ModelSlot } from '../model-slot.ts';
import { findModel, type NamedModel, type Services } from '../services.ts';

/** What Ollama says of models. */

/** A name as Ollama's clients complete it: a model that has no tag is its `latest`. */
export function localName({ models, adapters }: Services, tenant: Tenant, name: string | undefined) {
  if (name === undefined || models.find(name) || adapters.find(name, tenant)) return name;
  return name.replace(/:latest$/, '');
}

export function findLocal(services: Services, tenant: Tenant, name: string | undefined): NamedModel {
  return findModel(services, tenant, localName(services, tenant, name));
}

/** Models and the adapters that the tenant may name instead, as `/api/tags` lists them. */
export function tags(services: Services, tenant: Tenant): object[] {
  const { models } = services;
  const adapters = services.adapters.visible(tenant).map(({ id, modelId }) => tag(models.at(modelId)!, id));
  return [...models.all.filter(({ id }) => mayUseModel(tenant, id)).map(slot => tag(slot)), ...adapters];
}

/** Files are not named by their content here: the digest is one of what is known of the model, the same at every start. */
function digestOf({ remembered }: ModelSlot, name: string): string {
  const { architecture, vocabSize, trainedContext, width, fileSize } = remembered?.info ?? {};
  const facts = [name, architecture, vocabSize, trainedContext, width, fileSize];
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex');
}

function tag(slot: ModelSlot, name = slot.id): object {
  const modified_at = new Date(slot.created * 1000).toISOString();
  const size = slot.remembered?.info.fileSize ?? 0;
  return { name, model: name, modified_at, size, digest: digestOf(slot, name), details: details(slot) };
}

/** The models that are loaded, as `/api/ps` lists them. */
export function running({ models }: Services, tenant: Tenant): object[] {
  return models.all.flatMap(slot => {
    const { id, model } = slot;
    if (!model || !mayUseModel(tenant, id)) return [];
    const { fileSize, context } = model.engine.info;
    return {
      name: id,
      model: id,
      size: fileSize,
      size_vram: 0,
      digest: digestOf(slot, id),
      details: details(slot),
      expires_at: expiry(slot),
      context_length: context,
    };
  });
}

/** When it goes if nobody asks for it. */
function expiry({ settings: { idleMs, pinned }, usedAt, isIdle }: ModelSlot): string {
  if (pinned || idleMs === undefined) return '9999-12-31T23:59:59Z';
  const idle = isIdle ? performance.now() - usedAt : 0;
  return new Date(Date.now() + idleMs - idle).toISOString();
}

/** What is known of a model without loading it: clients ask this of all that there are. */
export function show({ slot }: NamedModel): object {
  const { defaults, remembered } = slot;
  const { architecture = '', context, width, vocabSize } = remembered?.info ?? {};
  return {
    modelfile: '',
    parameters: '',
    template: remembered?.template ?? '',
    ...(defaults.system !== undefined && { system: defaults.system }),
    details: details(slot),
    model_info: {
      'general.architecture': architecture,
      [`${architecture}.context_length`]: context,
      [`${architecture}.embedding_length`]: width,
      [`${architecture}.vocab_size`]: vocabSize,
    },
    capabilities: capabilities(slot),
    modified_at: new Date(slot.created * 1000).toISOString(),
  };
}

function capabilities({ model, remembered }: ModelSlot): string[] {
  const { tools, reasoning: thinking } = (model ?? remembered)?.format ?? {};
  const makes = (model?.engine ?? remembered)?.info.makes;
  const has = { completion: makes === undefined, tools, thinking, embedding: makes !== 'scores' };
  return Object.entries(has).flatMap(([name, there]) => (there ? [name] : []));
}

function details({ remembered }: ModelSlot): object {
  const architecture = remembered?.info.architecture ?? '';
  return {
    parent_model: '',
    format: 'gguf',
    family: architecture,
    families: architecture === '' ? [] : [architecture],
    parameter_size: '',
    quantization_level: '',
  };
}

/** An answer without words: the model is there, or is no longer. */
export function loaded({ name }: NamedModel, load: boolean, words: object): object {
  const done_reason = load ? 'load' : 'unload';
  return { model: name, created_at: new Date().toISOString(), ...words, done: true, done_reason };
}
