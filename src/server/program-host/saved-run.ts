import type { ModelId } from '../../sandbox/model-id.ts';
import type { SavedSequence } from '../../sandbox/v2/types.ts';
import type { Tenant } from '../../tenancy/tenants.ts';
import type { SavedLimits } from './saved-sequences.ts';
import { placeOf, type SequenceRun } from './sequence-run.ts';

/** Keeps a sequence, with how much of it was charged for. */
export async function save(
  run: SequenceRun,
  modelId: ModelId,
  key: string,
  saved: SavedSequence,
  ttlSeconds: number,
): Promise<void> {
  const { services, job } = run.context;
  const model = await run.models.find(modelId);
  const adapter = run.models.adapterOf(modelId, saved.adapter);
  const paid = run.charged.paid(placeOf(modelId, adapter), saved.tokens);
  const place = { tenant: job.tenant.id, model: model.id, key };
  await services.savedSequences.save(place, { ...saved, paid }, ttlSeconds, savedLimits(job.tenant));
}

/** What it was charged for this run need not pay again. */
export async function open(run: SequenceRun, modelId: ModelId, key: string): Promise<SavedSequence | undefined> {
  const { services, job } = run.context;
  const model = await run.models.find(modelId);
  const kept = await services.savedSequences.open({ tenant: job.tenant.id, model: model.id, key });
  if (!kept) return undefined;
  const { paid, ...saved } = kept;
  const adapter = run.models.adapterOf(modelId, saved.adapter);
  run.charged.add(placeOf(modelId, adapter), saved.tokens.subarray(0, paid));
  return saved;
}

/** Of all that a tenant has saved. */
export function savedLimits({ programLimits }: Pick<Tenant, 'programLimits'>): SavedLimits {
  return { sequences: programLimits.savedSequences, bytes: programLimits.savedBytes };
}
