import { RealmError } from '../errors.ts';
import type { ModelId } from '../sandbox/model-id.ts';
import { readModel } from '../tenancy/config.ts';
import { definitionOf } from './model-loader.ts';
import { firstOwnNumber } from './model-registry.ts';
import type { ModelSlot } from './model-slot.ts';
import type { WrittenModel } from './model-store.ts';
import type { Services } from './services.ts';
import type { Body } from './text/bodies.ts';

/** What operators do to the list of models while the server runs. */

/** Adds a model for this server and the next; it is loaded unless that is for the first request. Throws `model_exists`, `invalid_request`. */
export async function addModel(services: Services, written: WrittenModel): Promise<ModelSlot> {
  const { models, modelStore, folders } = services;
  const entry = await readModel(written.document, written.base, folders);
  const definition = definitionOf(entry, entry.id, 'store');
  models.checkFree(definition);
  for (const { id } of entry.adapters ?? []) models.checkFree({ id, aliases: [] });
  const number = (await modelStore?.add(written)) ?? nextNumber(services);
  const slot = models.add(definition, number);
  for (const adapter of entry.adapters ?? []) services.adapters.declare(number, adapter);
  // How it ends is the model's state.
  if (definition.load === 'start') void models.load(slot).catch(() => {});
  return slot;
}

/** Where nothing outlives the server, numbers need not either. */
function nextNumber({ models }: Services): ModelId {
  return Math.max(firstOwnNumber, 1 + models.lastNumber) as ModelId;
}

/** Throws `model_exists`. What `realm.yaml` says holds again at the next start. */
export async function changeModel(
  { models, modelStore }: Services,
  slot: ModelSlot,
  { pinned, aliases, idle_seconds }: Body<'changeModel'>,
): Promise<void> {
  const idle = idle_seconds === null ? undefined : (idle_seconds ?? 0) * 1000;
  models.update(slot, {
    ...(pinned !== undefined && { pinned }),
    ...(aliases !== undefined && { aliases }),
    ...(idle_seconds !== undefined && { idleMs: idle }),
  });
  if (slot.definition.source === 'file' || !modelStore) return;
  const stored = (await modelStore.list()).find(({ number }) => number === slot.modelId);
  if (!stored) return;
  const document = {
    ...stored.document,
    pinned: slot.settings.pinned,
    aliases: [...slot.settings.aliases],
    idle_seconds: slot.settings.idleMs === undefined ? undefined : slot.settings.idleMs / 1000,
  };
  await modelStore.change({ ...stored, document });
}

/** No request gets it from now on; `ended` when those that have it have. Throws `invalid_request` for a model of `realm.yaml`. */
export async function removeModel(
  { models, modelStore, adapters }: Services,
  slot: ModelSlot,
): Promise<{ ended: Promise<void> }> {
  if (slot.definition.source === 'file')
    throw new RealmError(
      'invalid_request',
      `The model ${slot.id} is named in realm.yaml; remove it there, or unload it`,
    );
  await modelStore?.remove(slot.modelId);
  adapters.forget(slot.modelId);
  return { ended: models.remove(slot) };
}
