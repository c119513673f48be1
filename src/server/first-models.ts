import { asRealmError } from '../errors.ts';
import type { ModelId } from '../sandbox/model-id.ts';
import { type ModelEntry, readModel } from '../tenancy/config.ts';
import { definitionOf, idOf, type LoaderOptions } from './model-loader.ts';
import type { ModelSlot } from './model-slot.ts';
import type { ModelStore } from './model-store.ts';
import type { Services } from './services.ts';

/** The models of the configuration, in its order, with their adapters. */
export async function addModels(
  { models, adapters }: Services,
  entries: readonly Partial<ModelEntry>[],
  options: LoaderOptions,
): Promise<void> {
  for (const [i, entry] of entries.entries()) {
    const { modelId } = models.add(definitionOf(entry, await idOf(entry, options), 'file'), i as ModelId);
    for (const [k, adapter] of (entry.adapters ?? []).entries())
      adapters.declare(modelId, { ...adapter, param: `models[${i}].adapters[${k}].path` });
  }
}

/** Models that were added while an earlier server ran. What `realm.yaml` calls the same goes before them. */
export async function addStored({ models, adapters, folders, logger }: Services, store: ModelStore): Promise<void> {
  for (const { number, document, base } of await store.list()) {
    try {
      const entry = await readModel(document, base, folders);
      models.add(definitionOf(entry, entry.id, 'store'), number);
      for (const adapter of entry.adapters ?? []) adapters.declare(number, adapter);
    } catch (error) {
      const { code, message } = asRealmError(error);
      logger.log('warn', 'model left out', { model: document.id, code, reason: message });
    }
  }
}

/** Loads what is to be there from the start. Throws what is wrong with a model where there would be none. */
export async function loadFirst({ models }: Services, signal: AbortSignal | undefined): Promise<void> {
  const failed: unknown[] = [];
  const isFirst = ({ definition: { load } }: ModelSlot) => load === 'start';
  for (const slot of models.all.filter(isFirst)) {
    await models.load(slot).catch(error => failed.push(error));
    signal?.throwIfAborted();
  }
  if (failed.length === models.all.length) throw failed[0];
}
