/** The description of the API is valid OpenAPI and has every route with the body that it takes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { routes } from '../../src/server/app.ts';
import { plainPath } from '../../src/server/not-found.ts';
import { scripted } from './scripted.ts';

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
