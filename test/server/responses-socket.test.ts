/** The Responses API over WebSocket, with the seven cases of Open Responses' suite. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { WebSocket } from 'ws';
import { listen } from '../../src/server/node.ts';
import { hashKey } from '../../src/tenancy/keys.ts';
import { tenantDefaults } from '../../src/tenancy/tenants.ts';
import { keyAuthentication } from '../support/authentication.ts';
import { checkEvent, checkResponse } from './open-responses.ts';
import { type Script, scripted } from './scripted.ts';

const says = (text: string) => ({ answer: () => text });
const open: (() => void)[] = [];
after(() => {
  for (const close of open) close();
});

async function serve(script: Script, overrides: Parameters<typeof scripted>[1] = {}) {
  const parts = scripted(script, overrides);
  const listener = await listen(parts.app, '127.0.0.1', 0, { messageBytes: 10_000 });
  open.push(() => listener.destroy());
  return { ...parts, listener, url: `127.0.0.1:${listener.port}` };
}

// biome-ignore lint/suspicious/noExplicitAny: the assertions check the shape
type Event = any;

async function connect(url: string, headers: Record<string, string> = {}) {
  const socket = new WebSocket(`ws://${url}/v1/responses`, { headers });
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  const arrived: Event[] = [];
  let wake = () => {};
  socket.on('message', data => {
    arrived.push(JSON.parse(String(data)));
    wake();
  });
  open.push(() => socket.terminate());
  const next = async (): Promise<Event> => {
    while (arrived.length === 0) await new Promise<void>(resolve => (wake = resolve));
    return arrived.shift();
  };
  const isLast = ({ type }: Event) => /^(error|response\.(completed|failed|incomplete))$/.test(type);
  /** All events of one request. */
  const ask = async (body: object): Promise<Event[]> => {
    socket.send(JSON.stringify({ type: 'response.create', model: 'm', store: false, ...body }));
    const events = [await next()];
    while (!isLast(events.at(-1))) events.push(await next());
    for (const event of events) if (event.type !== 'error') checkEvent(event);
    return events;
  };
  const answer = async (body: object): Promise<Event> => {
    const last = (await ask(body)).at(-1);
    assert.equal(last.type, 'response.completed', JSON.stringify(last));
    checkResponse(last.response);
    return last.response;
  };
  const refusal = async (body: object): Promise<Event> => {
    const [event] = await ask(body);
    assert.equal(event.type, 'error');
    assert.equal(typeof event.error.message, 'string');
    return { status: event.status, code: event.error.code, param: event.error.param };
  };
  return { socket, ask, answer, refusal, next };
}

const missing = { status: 404, code: 'previous_response_not_found', param: 'previous_response_id' };

test('each message is answered with the events of a stream', async () => {
  const { url } = await serve(says('ok'));
  const { ask } = await connect(url);
  const events = await ask({ input: [{ type: 'message', role: 'user', content: 'Hi' }], store: true });
  assert.equal(events[0].type, 'response.created');
  assert.equal(events.at(-1).type, 'response.completed');
  assert.deepEqual(
    events.map(({ sequence_number }) => sequence_number),
    events.map((_, i) => i),
  );
});

test('requests on one connection are answered one after the other', async () => {
  const { url } = await serve(says('ok'));
  const { socket, next } = await connect(url);
  for (const input of ['one', 'two']) socket.send(JSON.stringify({ type: 'response.create', input }));
  const ids: string[] = [];
  while (ids.length < 2) {
    const event = await next();
    if (event.type === 'response.created') assert.equal(event.sequence_number, 0);
    if (event.type === 'response.completed') ids.push(event.response.id);
  }
  assert.notEqual(ids[0], ids[1]);
});

test('a connection goes on from its last answer, stored or not; another connection does not', async () => {
  const { url, model } = await serve(says('ok'));
  const one = await connect(url);
  const first = await one.answer({ input: 'one' });
  const second = await one.answer({ input: 'two', previous_response_id: first.id });
  assert.equal(second.previous_response_id, first.id);
  assert.equal(model.tokenizer.decode(model.requests[1]!.prompt), '[user]one[assistant]ok[user]two[assistant]');
  const other = await connect(url);
  assert.deepEqual(await other.refusal({ input: 'x', previous_response_id: second.id }), missing);
  await other.answer({ input: 'recovered' });
});

test('a failed request makes the connection forget what it went on from', async () => {
  const { url } = await serve(says('ok'));
  const { answer, refusal } = await connect(url);
  const first = await answer({ input: 'one' });
  const output = { type: 'function_call_output', call_id: 'call_missing', output: 'x' };
  const failed = await refusal({ input: [output], previous_response_id: first.id });
  assert.deepEqual(failed, { status: 400, code: 'invalid_request', param: 'input[0].call_id' });
  assert.deepEqual(await refusal({ input: 'x', previous_response_id: first.id }), missing);
});

test('an input is kept without an answer for the next request', async () => {
  const { url, model } = await serve(says('ok'));
  const { answer } = await connect(url);
  const warm = await answer({ input: 'one', generate: false });
  await answer({ input: 'two', previous_response_id: warm.id });
  assert.equal(model.requests.length, 1);
});

test('a compacted conversation begins another', async () => {
  const { url } = await serve(says('In short.'));
  const input = [{ type: 'message', role: 'user', content: 'Hi' }];
  const headers = { 'content-type': 'application/json' };
  const compacted = await fetch(`http://${url}/v1/responses/compact`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ model: 'm', input }),
  });
  const { output } = await compacted.json();
  const { answer } = await connect(url);
  await answer({ input: [...output, ...input], tools: [] });
});

test('what is no request is refused, and the connection stays', async () => {
  const { url } = await serve(says('ok'));
  const { socket, refusal, answer, next } = await connect(url);
  socket.send('{');
  assert.equal((await next()).error.code, 'invalid_json');
  assert.equal((await refusal({ type: 'response.unknown', input: 'x' })).param, 'type');
  await answer({ input: 'x' });
});

test('a connection that is closed leaves nothing behind', async () => {
  const { url, services } = await serve(says('ok'));
  const kept: string[] = [];
  const { local } = services.responses;
  const save = local.save.bind(local);
  local.save = async (tenant, response) => {
    kept.push(response.id);
    await save(tenant, response);
  };
  const { socket, answer } = await connect(url);
  await answer({ input: 'one' });
  await answer({ input: 'two' });
  const [first, second] = kept;
  assert.equal(await local.find('default', first!), undefined);
  assert.ok(await local.find('default', second!));
  socket.close();
  while (await local.find('default', second!)) await new Promise(resolve => setTimeout(resolve, 5));
});

test('an upgrade that makes no sense hurts nobody', async () => {
  const { url } = await serve(says('ok'));
  const { connect: dial } = await import('node:net');
  const [host, port] = url.split(':');
  const socket = dial(Number(port), host);
  socket.write('GET /v1/responses HTTP/1.1\r\nhost: [\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
  await new Promise(resolve => socket.once('close', resolve).resume());
  assert.equal((await fetch(`http://${url}/v1/models`)).status, 200);
});

test('a message that is too long ends the connection', async () => {
  const { url } = await serve(says('ok'));
  const { socket } = await connect(url);
  const closed = new Promise(resolve => socket.once('close', resolve));
  socket.send('x'.repeat(10_001));
  assert.equal(await closed, 1009);
});

test('messages that wait are bounded together', async () => {
  const { url } = await serve({ answer: () => 'ab', pause: () => new Promise(() => {}) });
  const { socket } = await connect(url);
  const closed = new Promise(resolve => socket.once('close', resolve));
  for (let i = 0; i < 4; i++) socket.send(JSON.stringify({ type: 'response.create', input: 'x'.repeat(4000) }));
  assert.equal(await closed, 1008);
});

test('a client that goes away ends its request', async () => {
  const started = Promise.withResolvers<void>();
  const stopped = Promise.withResolvers<void>();
  let signalled = false;
  const { url, services } = await serve({
    answer: () => 'abc'.repeat(30),
    pause: async () => {
      started.resolve();
      await new Promise(resolve => setTimeout(resolve, 5));
    },
  });
  const { socket } = await connect(url);
  socket.send(JSON.stringify({ type: 'response.create', input: 'x' }));
  await started.promise;
  const [exchange] = services.state.open;
  exchange!.signal.addEventListener('abort', () => {
    signalled = true;
    stopped.resolve();
  });
  socket.close();
  await stopped.promise;
  assert.ok(signalled);
});

test('a connection needs what a request needs', async () => {
  const key = `sk-realm-${'a'.repeat(43)}`;
  const tenants = [{ id: 'a', keys: [hashKey(key)], ...tenantDefaults }];
  const keyed = await serve(says('ok'), { authenticate: keyAuthentication(tenants), localOnly: false });
  await assert.rejects(connect(keyed.url), /401/);
  const { answer } = await connect(keyed.url, { authorization: `Bearer ${key}` });
  await answer({ input: 'Hi' });
  const local = await serve(says('ok'));
  await assert.rejects(connect(local.url, { origin: 'https://evil.example' }), /403/);
  const plain = await fetch(`http://${local.url}/v1/responses`);
  assert.equal(plain.status, 426);
  const elsewhere = new WebSocket(`ws://${local.url}/v1/models`);
  const [error] = await new Promise<[Error]>(resolve => elsewhere.once('error', error => resolve([error])));
  assert.match(error.message, /200|404|426/);
});

test('another protocol that a client offers changes nothing', async () => {
  const { url } = await serve(says('ok'));
  const { request } = await import('node:http');
  const [host, port] = url.split(':');
  const headers = { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AA' };
  const status = await new Promise(resolve => {
    request({ host, port, path: '/v1/models', headers }, response => resolve(response.statusCode)).end();
  });
  assert.equal(status, 200);
});

test('a server that stops lets a connection finish and closes it', async () => {
  const gate = Promise.withResolvers<void>();
  const { url, listener } = await serve({ answer: () => 'ab', pause: () => gate.promise });
  const { socket, ask } = await connect(url);
  const idle = await connect(url);
  const idleClosed = new Promise(resolve => idle.socket.once('close', resolve));
  const closed = new Promise(resolve => socket.once('close', resolve));
  const events = ask({ input: 'x' });
  await new Promise(resolve => setTimeout(resolve, 50));
  listener.stop();
  assert.equal(await idleClosed, 1001);
  gate.resolve();
  assert.equal((await events).at(-1).type, 'response.completed');
  assert.equal(await closed, 1001);
});
