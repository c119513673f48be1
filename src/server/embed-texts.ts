import type { Embedding } from '../llm/embed.ts';
import { embedAll } from './embed-all.ts';
import type { AppContext } from './route.ts';
import { type HeldModel, takeModel } from './services.ts';

interface EmbedOptions {
  /** Throws where the model is not what is needed. */
  check?(named: HeldModel): void;
  /** Texts that are too long lose their end. */
  readonly truncate?: boolean | undefined;
}

/** Texts, or tokens as they are, through the tokenizer and the engine, for the tenant that asks. */
export async function embedTexts(
  context: AppContext,
  modelName: string | undefined,
  inputs: readonly (string | Float64Array)[],
  { check = () => {}, truncate }: EmbedOptions = {},
): Promise<HeldModel & { embeddings: Embedding[] }> {
  const { services, exchange, tenant } = context.var;
  const named = await takeModel(services, exchange, tenant, modelName);
  const { model } = named;
  exchange.model = model.id;
  check(named);
  const call = { owner: tenant, model, signal: exchange.signal };
  const { parseSpecial } = tenant;
  const { context: most } = model.engine.info;
  const texts = await services.text.run('inputs', call, { inputs, context: most, parseSpecial, truncate });
  return { ...named, embeddings: await embedAll(exchange, tenant, named, texts) };
}
