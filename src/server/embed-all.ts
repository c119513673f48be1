import type { EmbedRequest, EngineUsage } from '../engine/request.ts';
import { RealmError } from '../errors.ts';
import { type Embedding, embedAll as embedTogether } from '../llm/embed.ts';
import { addUsage, noUsage } from '../llm/usage.ts';
import { shareOf, type Tenant } from '../tenancy/tenants.ts';
import type { Token } from '../tokenizer/types.ts';
import type { Exchange } from './exchange.ts';
import type { HeldModel } from './services.ts';
import { tracedEmbedding } from './traced.ts';

/** Embeds the texts of a request; the first failure, or the tenant's deadline, ends them all. */
export async function embedAll(
  exchange: Exchange,
  tenant: Tenant,
  { model, adapter }: HeldModel,
  texts: readonly Int32Array[],
  { rank }: Pick<EmbedRequest, 'rank'> = {},
): Promise<Embedding[]> {
  const late = AbortSignal.timeout(tenant.deadlineMs);
  const signal = AbortSignal.any([exchange.signal, late]);
  let used: EngineUsage = noUsage;
  exchange.usage = () => used;
  const requests = texts.map((text, i) => ({
    id: `${exchange.id}.${i}`,
    tenant: tenant.id,
    prompt: Array.from(text) as Token[],
    adapter,
    queueMs: tenant.queueMs,
    share: shareOf(tenant),
    rank,
  }));
  const embedOne = (request: EmbedRequest, either: AbortSignal) =>
    tracedEmbedding(exchange.span, model.id, request, () => model.embed(exchange.nextCall(), request, either));
  try {
    return await embedTogether(embedOne, requests, signal, ({ usage }) => {
      used = addUsage(used, usage);
    });
  } catch (error) {
    exchange.signal.throwIfAborted();
    if (late.aborted)
      throw new RealmError('deadline_exceeded', `The embeddings took longer than ${tenant.deadlineMs} ms`);
    throw error;
  }
}
