/** Pipelines called over /v1/ws. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { listen } from '../../src/server/node.ts';
import { CallsClient } from './calls-socket.ts';
import { each, echoing, greet, piped } from './pipelines.ts';
import type { Script } from './scripted.ts';

const open: (() => void)[] = [];
after(() => {
  for (const close of open) close();
});

async function enter(texts: readonly string[], script: Script = echoing) {
  const parts = piped(texts, script);
  const listener = await listen(parts.app, '127.0.0.1', 0, { messageBytes: 10_000 });
  open.push(() => listener.destroy());
  const client = await new CallsClient(`127.0.0.1:${listener.port}`).opened();
  assert.equal((await client.next()).type, 'auth_success');
  return { ...parts, client };
}

test('a run is streamed, then complete', async () => {
  const { client } = await enter([greet]);
  const all = await client.call('1', 'pipeline', { name: 'greet', input: { name: 'bob' } });
  const pieces = all.slice(0, -1).map(({ data }) => [data.index, data.type, data.state ?? data.text ?? data.pipeline]);
  assert.deepEqual(pieces, [
    [0, 'run', 'greet'],
    [1, 'step', 'started'],
    [2, 'token', 'B'],
    [3, 'token', 'O'],
    [4, 'token', 'B'],
    [5, 'step', 'finished'],
  ]);
  const { id, status, data } = all.at(-1);
  assert.deepEqual([id, status, data.output, data.pipeline], ['1', 'complete', 'BOB', 'greet']);
  assert.match(data.request_id, /^req_/);
  assert.ok(data.time_ms >= 0);
  assert.equal(data.usage.completion_tokens, 3);
});

test('without a stream there is the answer alone', async () => {
  const { client } = await enter([greet]);
  const [only, ...others] = await client.call('1', 'pipeline', {
    name: 'greet',
    input: { name: 'bob' },
    stream: false,
  });
  assert.deepEqual([only.status, only.data.output, others.length], ['complete', 'BOB', 0]);
});

test('what is wrong is an error of its call', async () => {
  const { client } = await enter([greet]);
  const refusal = async (params: object) => {
    const [{ id, status, error }] = await client.call('r', 'pipeline', params);
    assert.deepEqual([id, status], ['r', 'error']);
    return [error.code, error.param];
  };
  assert.deepEqual(await refusal({}), ['invalid_request', 'name']);
  assert.deepEqual(await refusal({ name: 'greet', inputs: 1 }), ['invalid_request', 'inputs']);
  assert.deepEqual(await refusal({ name: 'gone' }), ['pipeline_not_found', null]);
  assert.deepEqual(await refusal({ name: '../models' }), ['pipeline_not_found', null]);
  assert.deepEqual(await refusal({ name: 'greet', input: { name: 1 } }), ['invalid_request', 'input.name']);
});

test('cancel ends all steps of a run', async () => {
  const gate = Promise.withResolvers<void>();
  const { client, model, services } = await enter([each], { answer: () => 'abc', pause: () => gate.promise });
  client.send({ id: 'c', function: 'pipeline', params: { name: 'each', input: ['a', 'b', 'c'] } });
  while (model.running < 3) await new Promise(setImmediate);
  client.send({ id: 'c', function: 'cancel' });
  while (![...services.state.open].every(({ signal }) => signal.aborted)) await new Promise(setImmediate);
  gate.resolve();
  let last = await client.next();
  while (last.status === 'streaming') last = await client.next();
  assert.deepEqual(last, { id: 'c', status: 'cancelled' });
  while (services.state.open.size > 0) await new Promise(setImmediate);
  assert.equal(model.running, 0);
});
