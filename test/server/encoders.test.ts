/** A server with models that make no text: one that ranks, one that embeds. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { ArchitectureName } from '../../scripts/synthetic/architectures.ts';
import { writeSynthetic } from '../../scripts/synthetic/model.ts';
import { loadModel, type Server, serve } from '../../src/index.ts';
import { scoreOf, withLlama } from '../support/llama-cpp.ts';

const architectures = { ranker: 'bertReranker', embedder: 'nomicBert' } satisfies Record<string, ArchitectureName>;
const ids = ['ranker', 'embedder'] as const;
const documents = ['then some other time', 'good', 'how long have you been out of work', ''.padEnd(40, 'we will ')];
const query = 'where have you been';

let folder: string;
let server: Server;
const pathOf = (id: string) => join(folder, `${id}.gguf`);
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'realm-encoders-'));
  const metadata = { 'tokenizer.ggml.add_eos_token': { type: 'bool', value: true } } as const;
  for (const id of ids) writeSynthetic(pathOf(id), { architecture: architectures[id], quant: 'F16', metadata });
  const models = ids.map(id => ({ id, path: pathOf(id) }));
  server = await serve({ server: { port: 0 }, models }, { threads: 1 });
});
after(async () => {
  await server?.close();
  await rm(folder, { recursive: true });
});

async function ask(path: string, body: object) {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(server.url + path, { method: 'POST', headers, body: JSON.stringify(body) });
  return { status: response.status, ...(await response.json()) };
}

test('a model that ranks gives its scores, those of llama.cpp', async () => {
  const answer = await ask('/v1/rerank', { model: 'ranker', query, documents });
  assert.deepEqual([answer.status, answer.method, answer.results.length], [200, "the model's score", 4]);
  const scores = answer.results.map((each: { relevance_score: number }) => each.relevance_score);
  assert.deepEqual(
    scores,
    scores.toSorted((a: number, b: number) => b - a),
  );
  const tokensOf = async (content: string) => {
    const { tokens } = await ask('/tokenize', { model: 'ranker', content, add_special: false });
    return Int32Array.from(tokens);
  };
  const [asked, found] = [await tokensOf(query), await Promise.all(documents.map(tokensOf))];
  const theirs = await withLlama(pathOf('ranker'), async llama => {
    const all = [];
    for (const document of found) all.push((await scoreOf(llama, asked, document)).score);
    return all;
  });
  for (const { index, relevance_score: score } of answer.results)
    assert.ok(Math.abs(score - theirs[index]!) < 1e-3, `${score}, llama.cpp ${theirs[index]}`);
});

test('the library ranks as the server does', async () => {
  await using model = await loadModel(pathOf('ranker'), { threads: 1 });
  const scores = await model.rank(query, documents);
  const { results } = await ask('/v1/rerank', { model: 'ranker', query, documents });
  for (const { index, relevance_score: score } of results) assert.equal(scores[index], score);
  assert.deepEqual(await model.rank(query, []), []);
  await assert.rejects(model.embed(query), { code: 'invalid_request', message: /ranks texts/ });
  await assert.rejects(model.rank(query, [3 as never]), { code: 'invalid_request', param: 'documents[0]' });
  await assert.rejects(model.rank(query, ['long '.repeat(4000)]), { code: 'context_length_exceeded' });
  await using embedder = await loadModel(pathOf('embedder'), { threads: 1 });
  await assert.rejects(embedder.rank(query, documents), { code: 'invalid_request', message: /does not rank/ });
});

test('one that embeds ranks by its embeddings', async () => {
  const answer = await ask('/v1/rerank', { model: 'embedder', query, documents: [...documents, query] });
  assert.deepEqual([answer.status, answer.method], [200, 'cosine similarity of embeddings']);
  assert.equal(answer.results[0].index, 4);
});

test('many texts at once have the embeddings that each has alone', async () => {
  const input = Array.from({ length: 30 }, (_, i) => documents[i % 4]!.repeat(1 + (i % 7)));
  const together = await ask('/v1/embeddings', { model: 'embedder', input });
  assert.equal(together.status, 200, JSON.stringify(together.error));
  for (const i of [0, 7, 29]) {
    const alone = await ask('/v1/embeddings', { model: 'embedder', input: input[i] });
    assert.deepEqual(together.data[i].embedding, alone.data[0].embedding);
  }
});

test('what they do not make is refused by name', async () => {
  const messages = [{ role: 'user', content: 'Hello' }];
  for (const [path, body, model, words] of [
    ['/v1/embeddings', { input: 'a' }, 'ranker', /ranks texts and has no embeddings/],
    ['/v1/completions', { prompt: 'a' }, 'ranker', /ranks texts and makes none: use \/v1\/rerank/],
    ['/v1/completions', { prompt: 'a' }, 'embedder', /embeds texts and makes none: use \/v1\/embeddings/],
    ['/v1/chat/completions', { messages }, 'embedder', /embeds texts and makes none/],
  ] as const) {
    const { status, error } = await ask(path, { ...body, model });
    assert.deepEqual([status, error.code], [400, 'invalid_request'], error.message);
    assert.match(error.message, words);
  }
  const { status, error } = await ask('/v1/embeddings', { model: 'embedder', input: 'we will '.repeat(600) });
  assert.deepEqual([status, error.code], [400, 'context_length_exceeded']);
  assert.match(error.message, /600 tokens, and the model's context is 512/);
});
