/** What HTTP allows and clients do: kept connections, early answers, uploads that break off, half-closes, what is no HTTP. */
import assert from 'node:assert/strict';
import { Agent, request as httpRequest } from 'node:http';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ListenOptions, listen } from '../../src/server/node.ts';
import type { Services } from '../../src/server/services.ts';
import { createKey } from '../../src/tenancy/keys.ts';
import { tenantDefaults } from '../../src/tenancy/tenants.ts';
import { keyAuthentication } from '../support/authentication.ts';
import { type Script, scripted } from './scripted.ts';
import { parseAnswer, RawClient } from './sockets.ts';

const messages = [{ role: 'user', content: 'Hi' }];
const chat = '/v1/chat/completions';
const says = (text: string): Script => ({ answer: () => text });
const wholeHealth = /\{"status":"ok",.*\}/;
const askHealth = 'GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n';

async function serve(t: TestContext, script: Script, overrides: Partial<Services> = {}, options: ListenOptions = {}) {
  const parts = scripted(script, overrides);
  const listener = await listen(parts.app, '127.0.0.1', 0, { logger: parts.services.logger, ...options });
  t.after(() => listener.destroy());
  const url = `http://127.0.0.1:${listener.port}`;
  return { ...parts, url, raw: () => new RawClient(t, url) };
}

async function until(what: string, condition: () => boolean): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (condition()) return;
    await sleep(10);
  }
  assert.fail(`never happened: ${what}`);
}

function keyed(): Partial<Services> {
  const { hash } = createKey('acme');
  return { localOnly: false, authenticate: keyAuthentication([{ id: 'acme', keys: [hash], ...tenantDefaults }]) };
}

const uploads: [string, string][] = [
  ['a declared length', 'content-length: 5000\r\n\r\n{"messages"'],
  ['chunks', 'transfer-encoding: chunked\r\n\r\n5\r\n{"mes\r\n'],
  ['compression', 'content-encoding: gzip\r\ncontent-length: 5000\r\n\r\nabc'],
];
for (const [what, rest] of uploads) {
  for (const how of ['resetAndDestroy', 'destroy'] as const) {
    test(`an upload with ${what} that breaks off (${how}) is the client's doing`, async t => {
      const { raw, lines, services } = await serve(t, says('x'));
      const client = raw();
      client.socket.write(`POST ${chat} HTTP/1.1\r\nhost: localhost\r\n${rest}`);
      await until('it has begun', () => services.state.open.size === 1);
      await sleep(20);
      client.socket[how]();
      await until('it is over', () => services.state.open.size === 0);
      const line = lines.find(({ message }) => message === 'request')!;
      assert.deepEqual([line.status, line.code], [499, 'request_cancelled']);
      assert.ok(!lines.some(each => each.stack !== undefined || each.level === 'error'), JSON.stringify(lines));
    });
  }
}

/** What is answered before its body has been read: the request's first line and headers, and the answer's status. */
const early: [string, string, number, Partial<Services>?][] = [
  ['too large', `POST ${chat}`, 413],
  ['no key', `POST ${chat}`, 401, keyed()],
  ['no route', 'POST /v2/nothing', 404],
  ['wrong method', 'PUT /v1/models', 405],
];
const body = 'x'.repeat(20_000);

for (const [what, line, status, overrides] of early) {
  test(`${what}: the connection is good for another request while the body is still coming`, async t => {
    const { raw } = await serve(t, says('x'), overrides);
    const client = raw();
    client.socket.write(
      `${line} HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${body.length}\r\n\r\n${body.slice(0, 9)}`,
    );
    const answer = parseAnswer(await client.receives(/\r\n\r\n\{.*\}\}/));
    assert.equal(answer.status, status);
    assert.notEqual(answer.headers.get('connection'), 'close');
    await sleep(700);
    client.socket.write(body.slice(9) + askHealth);
    await client.receives(wholeHealth);
  });

  test(`${what}: before a body of unknown length the answer says close, and is not lost`, async t => {
    const { raw } = await serve(t, says('x'), overrides);
    const client = raw();
    client.socket.write(`${line} HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n`);
    for (let i = 0; i < 100; i++) client.socket.write(`${body.length.toString(16)}\r\n${body}\r\n`);
    const answer = parseAnswer(await client.closes());
    assert.equal(answer.status, status);
    assert.equal(answer.headers.get('connection'), 'close');
    assert.match(answer.headers.get('x-request-id')!, /^req_/);
  });

  test(`${what}: an agent that keeps connections goes on`, async t => {
    const { url } = await serve(t, says('x'), overrides);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    t.after(() => agent.destroy());
    const [method, path] = line.split(' ');
    for (const size of [100, 20_000, 200_000, 3_000_000]) {
      for (let i = 0; i < 2; i++) {
        assert.equal(
          await send(agent, `${url}${path}`, method!, 'x'.repeat(size)),
          size < 10_000 && status === 413 ? 400 : status,
        );
        assert.equal(await send(agent, `${url}/health`, 'GET'), 200);
      }
    }
  });
}

function send(agent: Agent, url: string, method: string, text?: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { agent, method }, response => {
      response.resume();
      response.once('end', () => resolve(response.statusCode!));
    });
    request.once('error', reject);
    request.end(text);
  });
}

test('an idle connection is kept as long as is said, and no longer', async t => {
  const { url, raw } = await serve(t, says('x'));
  assert.match((await fetch(`${url}/health`)).headers.get('keep-alive')!, /timeout=75\b/);
  const short = await serve(t, says('x'), {}, { keepAliveMs: 1 });
  const [long, brief] = [raw(), short.raw()];
  for (const client of [long, brief]) {
    client.socket.write(askHealth);
    await client.receives(wholeHealth);
  }
  await brief.closes();
  assert.ok(!long.closed);
});

for (const stream of [true, false]) {
  test(`a client that closes its side after the request gets its answer (stream: ${stream})`, async t => {
    const { raw, lines } = await serve(t, { answer: () => 'abcdef', pause: () => sleep(20) });
    const client = raw();
    const text = JSON.stringify({ messages, stream });
    client.socket.end(`POST ${chat} HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${text.length}\r\n\r\n${text}`);
    const answer = await client.closes();
    assert.match(answer, /^(HTTP\/1.1 100 Continue\r\n\r\n)*HTTP\/1.1 200 OK\r\n/);
    assert.match(answer, stream ? /\n:\n\n[\s\S]*\[DONE\]/ : /"content":"abcdef"/);
    assert.equal(lines[0]!.status, 200);
  });
}

test('so it is with lines of JSON, which have no comments', async t => {
  const { raw } = await serve(t, { answer: () => 'abcdef', pause: () => sleep(20) });
  const client = raw();
  const text = JSON.stringify({ messages });
  client.socket.end(`POST /api/chat HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${text.length}\r\n\r\n${text}`);
  const answer = await client.closes();
  assert.match(answer, /"content":"a"[\s\S]*\r\n1\r\n \r\n[\s\S]*"done":true/);
});

const malformed: [string, string, number, string][] = [
  ['no HTTP', 'hello\r\n\r\n', 400, 'http_invalid'],
  ['no host', 'GET /health HTTP/1.1\r\n\r\n', 400, 'http_invalid'],
  ['a host that is none', 'GET /health HTTP/1.1\r\nhost: a b\r\n\r\n', 400, 'http_invalid'],
  [
    'two lengths',
    `POST ${chat} HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n`,
    400,
    'http_invalid',
  ],
  [
    'a wrong chunk',
    `POST ${chat} HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n`,
    400,
    'http_invalid',
  ],
  ['half a line and a FIN', 'GET /hea', 400, 'http_invalid'],
  ['huge headers', `GET /health HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(300_000)}\r\n\r\n`, 431, 'headers_too_large'],
  ['an expectation', 'GET /health HTTP/1.1\r\nhost: localhost\r\nexpect: wonders\r\n\r\n', 417, 'expectation_failed'],
  [
    'huge chunk extensions',
    `POST ${chat} HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n1;${'e'.repeat(30_000)}\r\n`,
    413,
    'body_too_large',
  ],
];
for (const [what, bytes, status, code] of malformed) {
  test(`what is refused below the app is refused as everything is: ${what}`, async t => {
    const { raw, lines, url } = await serve(t, says('x'));
    const client = raw();
    client.socket.write(bytes);
    if (what.endsWith('FIN')) client.socket.end();
    const answer = parseAnswer(await client.closes());
    assert.equal(answer.status, status);
    assert.equal(answer.error.code, code);
    assert.equal(answer.error.type, 'invalid_request_error');
    assert.ok(lines.some(line => line.request_id === answer.headers.get('x-request-id') && line.status === status));
    assert.equal((await fetch(`${url}/health`)).status, 200);
  });
}

test("HTTP/1.0 needs no host: a balancer's check, and a chat, streamed too", async t => {
  const { raw } = await serve(t, says('abc'));
  for (const head of ['GET /health HTTP/1.0', 'OPTIONS /health HTTP/1.0', 'GET /ready HTTP/1.0\r\nhost: balancer']) {
    const client = raw();
    client.socket.write(`${head}\r\n\r\n`);
    assert.match(await client.closes(), head.startsWith('GET') ? /^HTTP\/1.1 200 OK\r\n/ : /method_not_allowed/);
  }
  for (const stream of [true, false]) {
    const text = JSON.stringify({ messages, stream });
    const client = raw();
    client.socket.end(`POST ${chat} HTTP/1.0\r\ncontent-length: ${text.length}\r\n\r\n${text}`);
    assert.match(await client.closes(), stream ? /\n\ndata: \[DONE\]\n\n$/ : /"content":"abc"/);
  }
});

test('what breaks while an answer is being sent is not answered into it', async t => {
  const { raw } = await serve(t, { answer: () => 'abcdefgh', pause: () => sleep(20) });
  const client = raw();
  const text = JSON.stringify({ messages, stream: true });
  client.socket.write(`POST ${chat} HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${text.length}\r\n\r\n${text}`);
  await client.receives(/data: /);
  client.socket.write('nonsense\r\n\r\n');
  assert.ok(!/HTTP\/1.1|http_invalid/.test(await client.closes()));
});
