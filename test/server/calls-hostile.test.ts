/** Clients of /v1/ws that do not behave: what they do stays their own trouble. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { listen } from '../../src/server/node.ts';
import { CallsClient } from './calls-socket.ts';
import { type Script, scripted } from './scripted.ts';

const messages = [{ role: 'user', content: 'Hi' }];
const open: (() => void)[] = [];
after(() => {
  for (const close of open) close();
});

async function serve(script: Script) {
  const parts = scripted(script);
  const listener = await listen(parts.app, '127.0.0.1', 0, { messageBytes: 10_000 });
  open.push(() => listener.destroy());
  const enter = async () => {
    const client = await new CallsClient(`127.0.0.1:${listener.port}`).opened();
    open.push(() => client.socket.terminate());
    assert.equal((await client.next()).type, 'auth_success');
    return client;
  };
  return { ...parts, enter };
}

test('garbage is answered, and the connection stays', async () => {
  const { enter } = await serve({ answer: () => 'x' });
  const client = await enter();
  const said = async (message: object | string) => {
    client.send(message);
    const { id, status, error } = await client.next();
    assert.equal(status, 'error');
    return [id, error.code, error.param];
  };
  assert.deepEqual(await said('{'), [null, 'invalid_json', null]);
  assert.deepEqual(await said(''), [null, 'invalid_json', null]);
  for (const none of ['null', '[]', '1', '"x"']) assert.equal((await said(none))[1], 'invalid_request');
  assert.deepEqual(await said({}), [null, 'invalid_request', 'id']);
  assert.deepEqual(await said({ id: '', function: 'health' }), [null, 'invalid_request', 'id']);
  assert.deepEqual(await said({ id: 'a', function: 'nothing' }), ['a', 'invalid_request', 'function']);
  assert.deepEqual(await said({ id: 'a', function: 'generate', params: 1 }), ['a', 'invalid_request', 'params']);
  assert.deepEqual(await said({ id: 'a', function: 'health', more: 1 }), ['a', 'invalid_request', 'more']);
  client.socket.send(Buffer.from([0, 255, 1]), { binary: true });
  assert.equal((await client.next()).error.code, 'invalid_json');
  assert.equal((await client.call('a', 'health'))[0].status, 'complete');
});

test('whatever JSON comes, one answer goes back for it', async () => {
  const { enter, lines } = await serve({ answer: () => 'x' });
  const client = await enter();
  const word = fc.constantFrom('id', 'function', 'params', 'type', 'tenant_id', 'messages', 'prompt', 'stream', 'n');
  const value = fc.oneof(fc.jsonValue(), fc.constantFrom('generate', 'health', 'metadata', 'a', 1));
  const body = fc.dictionary(word, fc.oneof(value, fc.dictionary(word, value)));
  await fc.assert(
    fc.asyncProperty(body, async said => {
      if (said.type !== undefined || said.function === 'cancel') return;
      client.send(said);
      let answer = await client.next();
      while (answer.status === 'streaming') answer = await client.next();
      assert.ok(answer.status === 'complete' || answer.status === 'error', JSON.stringify(answer));
      assert.notEqual(answer.error?.code, 'internal_error', JSON.stringify(said));
    }),
    { numRuns: 200 },
  );
  assert.equal(lines.filter(({ level }) => level === 'error').length, 0);
});

test('an id that is taken hurts only the second call', async () => {
  const gate = Promise.withResolvers<void>();
  const { enter } = await serve({ answer: () => 'ab', pause: () => gate.promise });
  const client = await enter();
  client.send({ id: '1', function: 'generate', params: { messages, stream: false } });
  client.send({ id: '1', function: 'generate', params: { messages, stream: false } });
  const { id, error } = await client.next();
  assert.deepEqual([id, error.code, error.param], [null, 'invalid_request', 'id']);
  gate.resolve();
  assert.equal((await client.next()).data.text, 'ab');
  assert.equal((await client.call('1', 'health'))[0].status, 'complete');
});

test('a message that is too long ends its connection alone', async () => {
  const { enter } = await serve({ answer: () => 'x' });
  const [client, other] = [await enter(), await enter()];
  client.send('x'.repeat(10_001));
  assert.equal(await client.closed, 1009);
  assert.equal((await other.call('1', 'health'))[0].status, 'complete');
});

test('a connection has a limit of calls that have not ended', async () => {
  const gate = Promise.withResolvers<void>();
  const { enter } = await serve({ answer: () => 'a', pause: () => gate.promise });
  const client = await enter();
  for (let i = 0; i <= 1024; i++) client.send({ id: i, function: 'generate', params: { prompt: 'x', stream: false } });
  const refused = await client.next();
  assert.deepEqual([refused.id, refused.error.code], [1024, 'queue_full']);
  client.socket.terminate();
  gate.resolve();
});

test('a client that does not read holds up its own answers and nobody else', async () => {
  const { enter, model, services } = await serve({ answer: () => 'x'.repeat(150) });
  const [slow, quick] = [await enter(), await enter()];
  slow.socket.pause();
  // Pieces of kilobytes, of which the systems' buffers do not take all.
  const params = { messages, n: 4, logprobs: true, top_logprobs: 20 };
  for (let i = 0; i < 10; i++) slow.send({ id: i, function: 'generate', params });
  while (model.requests.length < 4 * 10) await sleep(10);
  assert.equal((await quick.call('1', 'health'))[0].status, 'complete');
  assert.equal((await quick.call('2', 'generate', { prompt: 'x', stream: false })).at(-1).status, 'complete');
  await sleep(500);
  assert.ok(model.running > 0, 'all was generated, and lies somewhere');
  slow.socket.resume();
  let done = 0;
  while (done < 10) {
    const { status, error } = await slow.next();
    assert.notEqual(status, 'error', JSON.stringify(error));
    if (status === 'complete') done++;
  }
  assert.equal(services.state.open.size, 0);
});

test('a client that vanishes leaves nothing running', async () => {
  const { enter, model, services } = await serve({ answer: () => 'x'.repeat(150), pause: () => sleep(5) });
  const client = await enter();
  for (let i = 0; i < 20; i++) client.send({ id: i, function: 'generate', params: { prompt: 'x', max_tokens: 150 } });
  while (model.running < 20) await sleep(5);
  client.socket.terminate();
  for (let i = 0; i < 200 && model.running > 0; i++) await sleep(10);
  assert.equal(model.running, 0);
  assert.equal(services.state.open.size, 0);
});
