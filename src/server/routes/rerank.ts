import { readBody } from '../body.ts';
import { embedTexts } from '../embed-texts.ts';
import type { Route } from '../route.ts';

/** Orders documents by how near their embeddings are to the query's. There are no models yet that were made to rank: the answer says how it was done. */
export const rerankRoute: Route = {
  method: 'POST',
  path: '/v1/rerank',
  summary: "Documents in the order of their embeddings' similarity to a query",
  body: 'rerank',
  inference: true,
  async handle(context) {
    const { exchange } = context.var;
    const { model, query, documents, most, withDocuments } = await readBody(context, 'rerank');
    const { name, embeddings } = await embedTexts(context, model, [query, ...documents]);
    const [wanted, ...found] = embeddings.map(({ values }) => values);
    const results = found
      .map((values, index) => ({ index, relevance_score: cosine(wanted!, values) }))
      .sort((a, b) => b.relevance_score - a.relevance_score || a.index - b.index)
      .slice(0, most);
    const { promptTokens } = exchange.usage();
    return context.json({
      id: exchange.id.replace('req_', 'rerank-'),
      object: 'list',
      model: name,
      method: 'cosine similarity of embeddings',
      results: results.map(each => (withDocuments ? { ...each, document: { text: documents[each.index] } } : each)),
      usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
    });
  },
};

/** Embeddings have length 1. */
function cosine(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}
