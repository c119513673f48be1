import assert from 'node:assert/strict';
import { test } from 'node:test';
import { post, scripted } from './scripted.ts';

const rerank = async (body: object, path = '/v1/rerank') => {
  const response = await scripted({ answer: () => '' }).app.fetch(post(path, body));
  return { status: response.status, ...(await response.json()) };
};

test('documents come by the similarity of their embeddings, and the answer says so', async () => {
  // The scripted model's embedding of a text grows with its length.
  const documents = ['a', 'abc', { text: 'ab' }];
  const answer = await rerank({ query: 'x', documents });
  assert.deepEqual(
    answer.results.map((each: { index: number; document: { text: string } }) => [each.index, each.document.text]),
    [
      [1, 'abc'],
      [2, 'ab'],
      [0, 'a'],
    ],
  );
  assert.ok(answer.results[0].relevance_score > answer.results[1].relevance_score);
  assert.match(answer.method, /embeddings/);
  assert.deepEqual([answer.model, answer.usage.total_tokens], ['scripted', 2 + 2 + 4 + 3]);
});

test('as many as are wanted, with or without their texts; the path without /v1', async () => {
  const { results } = await rerank(
    { query: 'x', documents: ['a', 'abc'], top_n: 1, return_documents: false },
    '/rerank',
  );
  assert.deepEqual(Object.keys(results[0]), ['index', 'relevance_score']);
  assert.equal(results.length, 1);
});

test('what is wrong is named', async () => {
  for (const [body, param] of [
    [{ documents: ['a'] }, 'query'],
    [{ query: 'x', documents: [] }, 'documents'],
    [{ query: 'x', documents: ['a', 3] }, 'documents[1]'],
  ] as const) {
    const { status, error } = await rerank(body);
    assert.deepEqual([status, error.param], [400, param]);
  }
});
