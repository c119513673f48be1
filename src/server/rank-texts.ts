import { embedAll } from './embed-all.ts';
import type { AppContext } from './route.ts';
import type { HeldModel } from './services.ts';

export interface Ranking {
  readonly query: string;
  readonly documents: readonly string[];
}

/** How probable it is that each document answers the query, as a model that ranks has it: from 0 to 1. */
export async function rankTexts(context: AppContext, named: HeldModel, ranking: Ranking): Promise<number[]> {
  const { services, exchange, tenant } = context.var;
  const { model } = named;
  exchange.model = model.id;
  const call = { owner: tenant, model, signal: exchange.signal };
  const { parseSpecial } = tenant;
  const texts = await services.text.run('rankings', call, {
    ...ranking,
    context: model.engine.info.context,
    parseSpecial,
  });
  const scores = await embedAll(exchange, tenant, named, texts, { rank: true });
  return scores.map(({ values }) => values[0] ?? 0);
}
