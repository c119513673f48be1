import { readBody } from '../body.ts';
import { embedTexts } from '../embed-texts.ts';
import { type Ranking, rankTexts } from '../rank-texts.ts';
import type { AppContext, Route } from '../route.ts';
import { takeModel } from '../services.ts';

/** Orders documents by the scores of a model that ranks, or by how near their embeddings are to the query's: the answer says how it was done. */
export const rerankRoute: Route = {
  method: 'POST',
  path: '/v1/rerank',
  summary: 'Documents in the order of how well they answer a query',
  body: 'rerank',
  inference: true,
  async handle(context) {
    const { services, exchange, tenant } = context.var;
    const { model, query, documents, most, withDocuments } = await readBody(context, 'rerank');
    const named = await takeModel(services, exchange, tenant, model);
    const ranks = named.model.engine.info.makes === 'scores';
    const scores = ranks
      ? await rankTexts(context, named, { query, documents })
      : await similarities(context, model, { query, documents });
    const results = scores
      .map((score, index) => ({ index, relevance_score: score }))
      .sort((a, b) => b.relevance_score - a.relevance_score || a.index - b.index)
      .slice(0, most);
    const { promptTokens } = exchange.usage();
    return context.json({
      id: exchange.id.replace('req_', 'rerank-'),
      object: 'list',
      model: named.name,
      method: ranks ? "the model's score" : 'cosine similarity of embeddings',
      results: results.map(each => (withDocuments ? { ...each, document: { text: documents[each.index] } } : each)),
      usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
    });
  },
};

/** How near each document is to the query, from -1 to 1. */
async function similarities(
  context: AppContext,
  model: string | undefined,
  { query, documents }: Ranking,
): Promise<number[]> {
  const { embeddings } = await embedTexts(context, model, [query, ...documents]);
  const [wanted, ...found] = embeddings.map(({ values }) => values);
  return found.map(values => cosine(wanted!, values));
}

/** Embeddings have length 1. */
function cosine(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}
