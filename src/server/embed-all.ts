import { type Embedding, embed } from '../llm/embed.ts';
import { RealmError } from '../errors.ts';
import type { Tenant } from '../tenancy/tenants.ts';
import type { Token } from '../tokenizer/types.ts';
import { addUsage, type Exchange, noUsage } from './exchange.ts';
import type { NamedModel } from './services.ts';

/** Texts of one request that are in the engine at once: enough to fill its steps, few beside the tenant's queue. */
const atOnce = 32;

/** Embeds the texts in the engine's own order; the first failure, or the tenant's deadline, ends them all. */
export async function embedAll(
  exchange: Exchange,
  tenant: Tenant,
  { model, adapter }: NamedModel,
  texts: readonly Int32Array[],
): Promise<Embedding[]> {
  const late = AbortSignal.timeout(tenant.deadlineMs);
  const failed = new AbortController();
  const signal = AbortSignal.any([exchange.signal, late, failed.signal]);
  const embeddings: Embedding[] = [];
  exchange.usage = () => embeddings.reduce((sum, { usage }) => addUsage(sum, usage), noUsage);
  let next = 0;
  const work = async () => {
    while (next < texts.length) {
      const i = next++;
      const request = {
        id: `${exchange.id}.${i}`,
        tenant: tenant.id,
        tokens: Array.from(texts[i]) as Token[],
        adapter,
        queueMs: tenant.queueMs,
      };
      embeddings[i] = await embed(model.engine, request, signal);
    }
  };
  try {
    await Promise.all(Array.from({ length: atOnce }, work));
    return embeddings;
  } catch (error) {
    exchange.signal.throwIfAborted();
    if (late.aborted)
      throw new RealmError('deadline_exceeded', `The embeddings took longer than ${tenant.deadlineMs} ms`);
    throw error;
  } finally {
    failed.abort();
  }
}
