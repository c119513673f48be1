import { createHash } from 'node:crypto';
import { RealmError } from '../../errors.ts';
import { mayUseModel, type Tenant } from '../../tenancy/tenants.ts';
import type { MeteredModel } from '../metered-model.ts';
import { findModel, type NamedModel, type Services } from '../services.ts';

/** What Ollama says of models. */

/** A name as Ollama's clients complete it: a model that has no tag is its `latest`. */
export function localName({ models, adapters }: Services, tenant: Tenant, name: string | undefined) {
  if (name === undefined || models.some(({ id }) => id === name) || adapters.find(name, tenant)) return name;
  return name.replace(/:latest$/, '');
}

export function findLocal(services: Services, tenant: Tenant, name: string | undefined): NamedModel {
  return findModel(services, tenant, localName(services, tenant, name));
}

/** Models and the adapters that the tenant may name instead, as `/api/tags` lists them. */
export function tags(services: Services, tenant: Tenant): object[] {
  const adapters = services.adapters.visible(tenant).map(({ id, model }) => tag(model, id));
  const models = services.models.filter(({ id }) => mayUseModel(tenant, id));
  return [...models.map(model => tag(model)), ...adapters];
}

/** Files are not named by their content here: the digest is one of what is known of the model, the same at every start. */
function digestOf({ engine }: MeteredModel, name: string): string {
  const { architecture, vocabSize, trainedContext, width, fileSize } = engine.info;
  const facts = [name, architecture, vocabSize, trainedContext, width, fileSize];
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex');
}

function tag(model: MeteredModel, name = model.id): object {
  const modified_at = new Date(model.created * 1000).toISOString();
  const { fileSize: size } = model.engine.info;
  return { name, model: name, modified_at, size, digest: digestOf(model, name), details: details(model) };
}

/** All models are loaded and stay so. */
export function running(services: Services, tenant: Tenant): object[] {
  const models = services.models.filter(({ id }) => mayUseModel(tenant, id));
  return models.map(model => ({
    name: model.id,
    model: model.id,
    size: model.engine.info.fileSize,
    size_vram: 0,
    digest: digestOf(model, model.id),
    details: details(model),
    expires_at: '9999-12-31T23:59:59Z',
    context_length: model.engine.info.context,
  }));
}

export function show({ model }: NamedModel): object {
  const { architecture, context, width, vocabSize } = model.engine.info;
  return {
    modelfile: '',
    parameters: '',
    template: model.template.source,
    ...(model.defaults.system !== undefined && { system: model.defaults.system }),
    details: details(model),
    model_info: {
      'general.architecture': architecture,
      [`${architecture}.context_length`]: context,
      [`${architecture}.embedding_length`]: width,
      [`${architecture}.vocab_size`]: vocabSize,
    },
    capabilities: capabilities(model),
    modified_at: new Date(model.created * 1000).toISOString(),
  };
}

function capabilities({ format }: MeteredModel): string[] {
  const has = { completion: true, tools: format.tools, thinking: format.reasoning, embedding: true };
  return Object.entries(has).flatMap(([name, there]) => (there ? [name] : []));
}

function details({ engine }: MeteredModel): object {
  const { architecture } = engine.info;
  return {
    parent_model: '',
    format: 'gguf',
    family: architecture,
    families: [architecture],
    parameter_size: '',
    quantization_level: '',
  };
}

/** Models are the operator's: a request neither loads nor unloads one. */
export function loaded({ name }: NamedModel, load: boolean, words: object): object {
  if (!load) {
    const message = 'keep_alive: models stay loaded; whoever runs the server says which in realm.yaml';
    throw new RealmError('invalid_request', message, { param: 'keep_alive' });
  }
  return { model: name, created_at: new Date().toISOString(), ...words, done: true, done_reason: 'load' };
}
