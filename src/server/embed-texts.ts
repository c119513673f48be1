import type { Embedding } from '../llm/embed.ts';
import { embedAll } from './embed-all.ts';
import type { AppContext } from './route.ts';
import { findModel, type NamedModel } from './services.ts';

/** Texts, or tokens as they are, through the tokenizer and the engine, for the tenant that asks. */
export async function embedTexts(
  context: AppContext,
  modelName: string | undefined,
  inputs: readonly (string | Float64Array)[],
  check: (named: NamedModel) => void = () => {},
): Promise<NamedModel & { embeddings: Embedding[] }> {
  const { services, exchange, tenant } = context.var;
  const named = findModel(services, tenant, modelName);
  const { model } = named;
  exchange.model = model.id;
  check(named);
  const call = { owner: tenant, model, signal: exchange.signal };
  const { parseSpecial } = tenant;
  const texts = await services.text.run('inputs', call, { inputs, context: model.engine.info.context, parseSpecial });
  return { ...named, embeddings: await embedAll(exchange, tenant, named, texts) };
}
