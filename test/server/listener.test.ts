/** The server on a real socket, with a scripted model: clients that leave, slow readers, stopping. */
import assert from 'node:assert/strict';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { drain } from '../../src/server/drain.ts';
import { listen } from '../../src/server/node.ts';
import { first } from '../support/entries.ts';
import { type Script, scripted } from './scripted.ts';

const messages = [{ role: 'user', content: 'Hi' }];

async function serve(t: TestContext, script: Script) {
  const parts = scripted(script);
  const listener = await listen(parts.app, '127.0.0.1', 0);
  t.after(() => listener.destroy());
  const url = `http://127.0.0.1:${listener.port}`;
  const chat = (body: object, init: RequestInit = {}) =>
    fetch(`${url}/v1/chat/completions`, { method: 'POST', body: JSON.stringify({ messages, ...body }), ...init });
  return { ...parts, listener, url, chat };
}

async function until(what: string, condition: () => boolean): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (condition()) return;
    await sleep(10);
  }
  assert.fail(`never happened: ${what}`);
}

const forever = (pause: number): Script => ({ answer: () => 'x'.repeat(180), pause: () => sleep(pause) });

for (const stream of [true, false]) {
  test(`a client that goes away before the first token ends the generation (stream: ${stream})`, async t => {
    const { chat, model, lines, services } = await serve(t, { ...forever(50) });
    const abort = new AbortController();
    const answer = chat({ stream }, { signal: abort.signal });
    await until('it runs', () => model.running === 1);
    abort.abort();
    await assert.rejects(answer, { name: 'AbortError' });
    await until('it ends', () => model.running === 0);
    assert.ok(model.generated <= 2, `${model.generated} tokens`);
    await until('it is logged', () => lines.length === 1);
    assert.deepEqual([first(lines).status, first(lines).code], [499, 'request_cancelled']);
    assert.equal(services.state.open.size, 0);
  });
}

test('a client that goes away in the middle of a stream ends the generation', async t => {
  const { chat, model, lines } = await serve(t, forever(20));
  const abort = new AbortController();
  const response = await chat({ stream: true }, { signal: abort.signal });
  await response.body!.getReader().read();
  const before = model.generated;
  abort.abort();
  await until('it ends', () => model.running === 0);
  assert.ok(model.generated <= before + 3, `${model.generated - before} tokens more`);
  await until('it is logged', () => lines.length === 1);
  assert.ok(Number(first(lines).completion_tokens) >= before, 'what was generated counts');
  assert.deepEqual([first(lines).status, first(lines).code], [499, 'request_cancelled']);
});

test('tokens arrive one by one', async t => {
  const { chat } = await serve(t, { answer: () => 'abcd', pause: () => sleep(30) });
  const response = await chat({ stream: true });
  let reads = 0;
  for await (const _ of response.body!) reads++;
  assert.ok(reads >= 4, `${reads} reads`);
});

test('a reader that stops reading holds the answer back', async () => {
  const wide = Array.from({ length: 170 }, () => '\u{1F600}').join('');
  const { app, model } = scripted({ answer: () => wide });
  const request = new Request('http://localhost/v1/chat/completions', {
    method: 'POST',
    body: JSON.stringify({ messages, stream: true }),
  });
  const reader = (await app.fetch(request)).body!.getReader();
  await reader.read();
  await sleep(50);
  assert.ok(model.generated < 5, `${model.generated} tokens without a reader`);
  await reader.cancel();
  await until('it ends', () => model.running === 0);
});

test('health is answered while answers are being streamed, concurrently', async t => {
  const { chat, url, model } = await serve(t, { answer: () => 'abcdefgh', pause: () => sleep(10) });
  const answers = Promise.all([1, 2, 3].map(async () => (await chat({ stream: true })).text()));
  await until('all run', () => model.running === 3);
  assert.equal((await fetch(`${url}/health`)).status, 200);
  for (const text of await answers) assert.ok(text.endsWith('data: [DONE]\n\n'));
});

test('a huge body is answered 413 without being read to its end', async t => {
  const { url } = await serve(t, forever(1));
  const status = await new Promise<number>((resolve, reject) => {
    const headers = { 'content-length': 10 << 20 };
    const request = httpRequest(`${url}/v1/chat/completions`, { method: 'POST', headers }, response => {
      resolve(response.statusCode!);
      request.destroy();
    });
    request.on('error', reject);
    request.write('x'.repeat(1000));
  });
  assert.equal(status, 413);
});

test('draining lets an answer finish', async t => {
  const { chat, services, listener, url } = await serve(t, { answer: () => 'abcdef', pause: () => sleep(20) });
  const response = await chat({ stream: true });
  const drained = drain(services.state, listener, { lameDuckMs: 0, drainMs: 5_000 });
  assert.ok((await response.text()).endsWith('data: [DONE]\n\n'));
  await drained;
  await assert.rejects(fetch(`${url}/health`));
});

test('a lame duck fails /ready at once and answers new requests until it drains', async t => {
  const { chat, services, listener, url } = await serve(t, { answer: () => 'abc' });
  const drained = drain(services.state, listener, { lameDuckMs: 300, drainMs: 5_000 });
  const ready = await fetch(`${url}/ready`);
  assert.deepEqual([ready.status, (await ready.json()).error.code], [503, 'shutting_down']);
  assert.equal((await fetch(`${url}/health`)).status, 200);
  const response = await chat({});
  assert.equal(response.status, 200);
  assert.equal((await response.json()).choices[0].message.content, 'abc');
  await drained;
  await assert.rejects(fetch(`${url}/health`));
});

test('draining cuts off what takes too long, and tells it', async t => {
  const { chat, services, listener, model, lines } = await serve(t, forever(20));
  const response = await chat({ stream: true });
  const whole = chat({});
  await until('both run', () => model.running === 2);
  await drain(services.state, listener, { lameDuckMs: 0, drainMs: 50 });
  const last = (await response.text()).trimEnd().split('\n\n').at(-1)!;
  assert.equal(JSON.parse(last.slice('data: '.length)).error.code, 'shutting_down');
  assert.equal((await whole).status, 503);
  assert.equal(model.running, 0);
  assert.deepEqual(
    lines.map(line => line.code),
    ['shutting_down', 'shutting_down'],
  );
});

test('a port in use is one line that says what to do', async t => {
  const { app } = scripted(forever(1));
  const other = createServer().listen(0, '127.0.0.1');
  await new Promise(resolve => other.once('listening', resolve));
  t.after(() => other.close());
  const { port } = other.address() as AddressInfo;
  await assert.rejects(listen(app, '127.0.0.1', port), { code: 'port_in_use', message: /is in use; .*--port$/ });
  await assert.rejects(listen(app, '203.0.113.1', 0), { code: 'config_invalid' });
});
