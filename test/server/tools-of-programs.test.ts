/** Tools of the operator's, as programs and pipelines call them. */
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { RealmError } from '../../src/errors.ts';
import type { Exchange } from '../../src/server/exchange.ts';
import { ToolBook } from '../../src/server/tools/book.ts';
import type { ToolCall } from '../../src/server/tools/types.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import type { HttpToolConfig, ToolConfig } from '../../src/tenancy/config.ts';
import { type Tenant, tenantDefaults } from '../../src/tenancy/tenants.ts';

type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => void;
let answer: Answer = () => {};
let base: string;
const asked: { url: string; method: string; body: string; tenant: unknown; secret: unknown }[] = [];

const server = createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request) body += chunk;
  const { url = '', method = '', headers } = request;
  asked.push({ url, method, body, tenant: headers['x-realm-tenant'], secret: headers.authorization });
  answer(request, response, body);
});

before(async () => {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

after(() => server.close());

const tenant = (tools?: readonly string[]): Tenant => ({ ...tenantDefaults, id: 'acme', tools });
const json: Answer = (_, response, body) =>
  response.end(JSON.stringify({ got: body === '' ? null : JSON.parse(body) }));

function http(more: Partial<HttpToolConfig> = {}): HttpToolConfig {
  return {
    name: 'weather',
    url: `${base}/now?key=1`,
    method: 'POST',
    headers: {},
    timeoutMs: 2000,
    maxBytes: 1000,
    ...more,
  };
}

function open(tools: readonly ToolConfig[], pipeline?: (call: ToolCall) => Promise<unknown>) {
  const lines: string[] = [];
  const metrics = createMetrics();
  const logger = createLogger({ format: 'json', write: line => lines.push(line) });
  const book = new ToolBook({ tools: () => tools, logger, metrics: metrics.tools, pipeline });
  const call = (input: unknown, more: Partial<ToolCall> = {}) =>
    book.call({
      exchange: { id: 'req_1' } as Exchange,
      tenant: tenant(tools.map(({ name }) => name)),
      name: tools[0]!.name,
      input,
      signal: new AbortController().signal,
      depth: 0,
      ...more,
    });
  return { book, call, metrics, lines };
}

const code = (wanted: string, words?: RegExp) => (error: unknown) => {
  assert.ok(error instanceof RealmError);
  assert.equal(error.code, wanted, error.message);
  if (words) assert.match(error.message, words);
  return true;
};

test('JSON goes to the one URL and comes back, with the operator’s headers; it is counted and logged without its text', async () => {
  answer = json;
  const { call, metrics, lines } = open([http({ headers: { Authorization: 'Bearer s3cret' } })]);
  assert.deepEqual(await call({ city: 'Bern' }), { got: { city: 'Bern' } });
  const last = asked.at(-1)!;
  assert.deepEqual(last, {
    url: '/now?key=1',
    method: 'POST',
    body: '{"city":"Bern"}',
    tenant: 'acme',
    secret: 'Bearer s3cret',
  });
  const page = await metrics.page({
    models: [],
    programs: { processes: 0, residentBytes: 0, cpuMs: 0, runs: 0, waiting: 0, submissions: 0 },
    openRequests: 0,
  });
  assert.match(page, /realm_tool_calls_total\{tool="weather",code=""\} 1/);
  assert.match(lines.join(), /"tool":"weather"/);
  assert.ok(!/Bern|s3cret/.test(lines.join()));
});

test('without a body the fields of the input are parameters, and none replaces the operator’s', async () => {
  answer = json;
  const { call } = open([http({ method: 'GET' })]);
  await call({ city: 'Bern & Thun', days: 2, key: 'other' });
  assert.equal(asked.at(-1)!.url, '/now?key=1&city=Bern+%26+Thun&days=2');
});

test('an input that the schema does not let through asks nobody', async () => {
  const input = {
    type: 'object',
    properties: { city: { type: 'string' } },
    required: ['city'],
    additionalProperties: false,
  };
  const { call } = open([http({ input })]);
  const before = asked.length;
  for (const wrong of [{}, { city: 1 }, { city: 'x', url: 'http://other' }, 'Bern', null])
    await assert.rejects(call(wrong), code('invalid_request', /weather takes no such input: ./));
  assert.equal(asked.length, before);
  answer = json;
  await call({ city: 'Bern' });
});

test('what a tenant is not allowed, and what is not there', async () => {
  const { call, book } = open([http(), http({ name: 'other' })]);
  await assert.rejects(call({}, { tenant: tenant() }), code('permission_denied'));
  await assert.rejects(call({}, { tenant: tenant(['other']) }), code('permission_denied'));
  await assert.rejects(call({}, { name: 'none' }), code('tool_not_found', /there are weather, other/));
  await assert.rejects(call({}, { name: 'none', tenant: tenant() }), code('tool_not_found', /no tool "none"$/));
  assert.ok(book.has('other') && !book.has('none'));
});

const failures: [string, Answer, RegExp][] = [
  ['an error', (_, response) => response.writeHead(500).end('secret'), /answered with status 500$/],
  [
    'a redirect',
    (_, response) => response.writeHead(302, { location: `${base}/else` }).end(),
    /302, and redirects are not followed/,
  ],
  ['no JSON', (_, response) => response.end('<html>'), /no JSON/],
  ['too many bytes', (_, response) => response.end(JSON.stringify('x'.repeat(2000))), /more than 1000 bytes/],
  ['no answer', () => {}, /within 100 ms/],
  ['an answer that does not end', (_, response) => void response.write('{'), /within 100 ms/],
  ['a broken connection', request => request.socket.destroy(), /could not be reached$/],
];

for (const [name, fails, words] of failures)
  test(`a tool that answers with ${name} fails`, async () => {
    answer = fails;
    const { call, lines } = open([http({ timeoutMs: /100 ms/.test(String(words)) ? 100 : 5000 })]);
    const count = asked.length;
    await assert.rejects(call({}), code('tool_failed', words));
    assert.equal(asked.length, count + 1, 'asked once');
    assert.match(lines.join(), /"code":"tool_failed"/);
  });

test('whoever leaves ends the call with the reason that it had', async () => {
  answer = () => {};
  const { call } = open([http({ timeoutMs: 60_000 })]);
  const controller = new AbortController();
  const reason = new RealmError('request_cancelled', 'gone');
  const calling = call({}, { signal: controller.signal });
  setTimeout(() => controller.abort(reason), 20);
  await assert.rejects(calling, error => error === reason);
});

test('a tool may be a pipeline', async () => {
  const tools = [{ name: 'triage', pipeline: 'sort' }];
  const { call } = open(tools, async ({ name, input, depth }) => ({ name, input, depth }));
  assert.deepEqual(await call({ a: 1 }, { depth: 2 }), { name: 'sort', input: { a: 1 }, depth: 2 });
  await assert.rejects(open(tools).call({}), code('tool_failed'));
});
