/** The description of the API is valid OpenAPI and has every route with the body that it takes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { routes } from '../../src/server/app.ts';
import { plainPath } from '../../src/server/not-found.ts';
import { answers } from '../../src/server/openapi-answers.ts';
import { post, scripted } from './scripted.ts';

// biome-ignore lint/suspicious/noExplicitAny: the assertions check the shape
async function read(): Promise<any> {
  const { app } = scripted({ answer: () => '' });
  return (await app.fetch(new Request('http://localhost/openapi.json'))).json();
}

test('the document is OpenAPI 3.1', async () => {
  const validator = new Validator();
  const { valid, errors } = await validator.validate(await read());
  assert.ok(valid, JSON.stringify(errors));
  assert.equal(validator.version, '3.1');
});

test('it has all routes, each with its body and a name of its own', async () => {
  const { paths } = await read();
  for (const { method, path, body } of routes) {
    const operation = paths[plainPath(path)]?.[method.toLowerCase()];
    assert.ok(operation, `${method} ${path}`);
    assert.equal(body !== undefined, 'requestBody' in operation, path);
  }
  const names = Object.values(paths).flatMap(path => Object.values(path as object).map(each => each.operationId));
  assert.equal(names.length, routes.length);
  assert.equal(new Set(names).size, names.length);
});

test('the answers that it describes are those of routes', async () => {
  const known = new Set(routes.map(({ method, path }) => `${method} ${plainPath(path)}`));
  assert.deepEqual(
    Object.keys(answers).filter(each => !known.has(each)),
    [],
  );
});

test('answers fit what it says of them', async () => {
  const { app } = scripted({ answer: () => 'ab' });
  const fits = async (path: string, body?: object) => {
    const answer = await app.fetch(body ? post(path, body) : new Request(`http://localhost${path}`));
    assert.equal(answer.status, 200, path);
    const [type = ''] = answer.headers.get('content-type')!.split(';');
    const schema = answers[`${body ? 'POST' : 'GET'} ${path}`]![type];
    assert.ok(schema, `${path} ${type}`);
    const validate = new Ajv2020().compile(schema);
    const text = await answer.text();
    assert.ok(
      validate(type === 'application/json' ? JSON.parse(text) : text),
      `${path} ${JSON.stringify(validate.errors)}`,
    );
  };
  const messages = [{ role: 'user', content: 'Hi' }];
  for (const stream of [false, true]) {
    await fits('/v1/chat/completions', { messages, stream, logprobs: true });
    await fits('/v1/completions', { prompt: 'x', stream, logprobs: 1 });
    await fits('/v1/responses', { input: 'Hi', stream });
    await fits('/v1/messages', { model: 'm', max_tokens: 4, messages, stream });
    await fits('/api/chat', { model: 'scripted', messages, stream });
    await fits('/api/generate', { model: 'scripted', prompt: 'x', stream });
  }
  await fits('/v1/messages/count_tokens', { model: 'm', messages });
  await fits('/v1/embeddings', { input: ['a', 'b'] });
  await fits('/v1/rerank', { query: 'a', documents: ['b'] });
  await fits('/api/embed', { model: 'scripted', input: 'a' });
  await fits('/api/embeddings', { model: 'scripted', prompt: 'a' });
  await fits('/api/show', { model: 'scripted' });
  await fits('/tokenize', { content: 'a' });
  await fits('/detokenize', { tokens: [97] });
  await fits('/apply-template', { messages });
  for (const path of ['/api/tags', '/api/ps', '/api/version', '/v1/models', '/v1/requests']) await fits(path);
  for (const path of ['/tokenizer_info', '/health', '/ready', '/metrics', '/openapi.json']) await fits(path);
});

test('bodies are what is validated', async () => {
  const { paths } = await read();
  const schemaOf = (path: string) => paths[path].post.requestBody.content['application/json'].schema;
  const chat = schemaOf('/v1/chat/completions');
  assert.deepEqual(chat.required, ['messages']);
  assert.ok(chat.properties.temperature && chat.properties.tools);
  assert.match(chat.properties.metadata.description, /^Ignored/);
  assert.match(chat.properties.audio.description, /^Refused/);
  const messages = schemaOf('/v1/messages');
  assert.ok(messages.properties.stop_sequences && messages.properties.thinking);
  assert.ok(schemaOf('/api/chat').properties.options.anyOf[0].properties.num_predict);
});
