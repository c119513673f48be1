/** What traces say of a request, from the caller's span to the engine's phases. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import { createLogger } from '../../src/telemetry/log.ts';
import { openTracing, tracesUrl } from '../../src/telemetry/open-tracing.ts';
import { tracingWith } from '../../src/telemetry/otlp.ts';
import { generated, post, type Script, sandboxOf, scripted } from './scripted.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const caller = { headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-01`, tracestate: 'vendor=1' } };
const chat = { messages: [{ role: 'user', content: 'Hi' }] };

function traced(script: Script, sample = 1) {
  const exporter = new InMemorySpanExporter();
  const tracing = tracingWith(new SimpleSpanProcessor({ exporter }), sample);
  return { ...scripted(script, { tracing }), exporter, tracing };
}

/** Each span under its parent's name. */
function tree(spans: readonly ReadableSpan[]): string[] {
  const names = new Map(spans.map(span => [span.spanContext().spanId, span.name]));
  return spans.map(span => `${names.get(span.parentSpanContext?.spanId ?? '') ?? 'caller'} > ${span.name}`).sort();
}

test('a chat: the caller, the request, the program, its call to the engine, prefill and decode', async () => {
  const { app, exporter } = traced({ answer: () => 'abc' });
  const response = await app.fetch(post('/v1/chat/completions', chat, caller));
  await response.text();
  const spans = exporter.getFinishedSpans();
  assert.deepEqual(tree(spans), [
    'POST /v1/chat/completions > program default',
    'caller > POST /v1/chat/completions',
    'chat scripted > decode',
    'chat scripted > prefill',
    'program default > chat scripted',
  ]);
  assert.ok(spans.every(span => span.spanContext().traceId === traceId));
  const request = spans.find(({ name }) => name.startsWith('POST'));
  assert.equal(request?.parentSpanContext?.spanId, '00f067aa0ba902b7');
  assert.equal(response.headers.get('traceresponse'), `00-${traceId}-${request?.spanContext().spanId}-01`);
  assert.equal(request?.attributes['realm.request_id'], response.headers.get('x-request-id'));
  assert.equal(request?.attributes['realm.tenant'], 'default');
  assert.equal(request?.attributes['http.response.status_code'], 200);
  const call = spans.find(({ name }) => name === 'chat scripted');
  assert.deepEqual(call?.attributes, {
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': 'realm',
    'gen_ai.request.model': 'scripted',
    'gen_ai.usage.input_tokens': 20,
    'gen_ai.usage.cache_read.input_tokens': 2,
    'gen_ai.usage.output_tokens': 3,
    'gen_ai.response.finish_reasons': ['stop'],
  });
});

test('each answer and each call of a program has spans of its own; embeddings have one a text', async () => {
  const { app, exporter } = traced({ answer: () => 'ab' });
  await (await app.fetch(post('/v1/completions', { prompt: 'x', n: 2, stream: true }))).text();
  assert.equal(tree(exporter.getFinishedSpans()).filter(each => each.endsWith('> text_completion scripted')).length, 2);
  exporter.reset();
  await (await app.fetch(post('/v1/embeddings', { input: ['a', 'b'] }))).text();
  assert.deepEqual(tree(exporter.getFinishedSpans()), [
    'POST /v1/embeddings > embeddings scripted',
    'POST /v1/embeddings > embeddings scripted',
    'caller > POST /v1/embeddings',
  ]);
});

test('what fails says its code at every level, and what is refused is no error of the server', async () => {
  const { app, exporter } = traced({ answer: () => 'abc', failAfter: { tokens: 1, error: new Error('it broke') } });
  await (await app.fetch(post('/v1/chat/completions', chat))).text();
  const failed = exporter.getFinishedSpans().filter(({ status }) => status.code === 2);
  assert.deepEqual(failed.map(({ name }) => name).sort(), [
    'POST /v1/chat/completions',
    'chat scripted',
    'decode',
    'program default',
  ]);
  assert.ok(failed.every(({ attributes }) => attributes['error.type'] === 'internal_error'));
  exporter.reset();
  await app.fetch(post('/v1/chat/completions', { messages: 3 }));
  const [refused] = exporter.getFinishedSpans();
  assert.deepEqual([refused?.status.code, refused?.attributes['realm.code']], [0, 'invalid_request']);
});

test('a program that leaves its call early leaves no span open', async () => {
  const exporter = new InMemorySpanExporter();
  const tracing = tracingWith(new SimpleSpanProcessor({ exporter }));
  const sandbox = sandboxOf(async function* ({ host, modelId, prompt, signal }) {
    for await (const piece of generated(host, { modelId, prompt, options: {} }, signal)) {
      yield piece;
      break;
    }
  });
  const { app } = scripted({ answer: () => 'abcdef' }, { tracing, sandbox });
  await (await app.fetch(post('/v1/chat/completions', chat))).text();
  for (let i = 0; i < 20 && exporter.getFinishedSpans().length < 5; i++) await new Promise(setImmediate);
  assert.equal(exporter.getFinishedSpans().length, 5);
});

test('the caller decides whether its trace is sent, the sample about those that begin here', async () => {
  const { app, exporter } = traced({ answer: () => 'a' }, 0);
  const unwanted = { headers: { traceparent: caller.headers.traceparent.replace(/01$/, '00') } };
  const first = await app.fetch(post('/v1/chat/completions', chat, unwanted));
  assert.match(first.headers.get('traceresponse') ?? '', new RegExp(`^00-${traceId}-.*-00$`));
  await app.fetch(post('/v1/chat/completions', chat));
  assert.equal(exporter.getFinishedSpans().length, 0);
  await (await app.fetch(post('/v1/chat/completions', chat, caller))).text();
  assert.equal(exporter.getFinishedSpans().length, 5);
});

test('without tracing nothing is said, whatever headers come', async () => {
  const { app } = scripted({ answer: () => 'a' });
  const response = await app.fetch(post('/v1/chat/completions', chat, caller));
  assert.equal(response.headers.get('traceresponse'), null);
  assert.equal(await openTracing({ sample: 1 }, createLogger({ format: 'json', write: () => {} }), {}), undefined);
});

test('health and metrics have no spans; whoever is called gets the state of the trace too', async () => {
  const { app, exporter, tracing } = traced({ answer: () => 'a' });
  await app.fetch(new Request('http://localhost/health', caller));
  assert.equal(exporter.getFinishedSpans().length, 0);
  const { headers } = tracing.begin('x', new Headers(caller.headers), {}).child('webhook');
  assert.match(headers.traceparent, new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
  assert.equal(headers.tracestate, 'vendor=1');
});

test('a collector gets protobuf at its path, and one that is away does not hold up the end', async () => {
  const got: { url: string; type: string; body: string }[] = [];
  const collector = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { url = '', headers } = request;
    got.push({ url, type: headers['content-type'] ?? '', body: Buffer.concat(chunks).toString('latin1') });
    response.end();
  });
  await new Promise<void>(resolve => collector.listen(0, '127.0.0.1', resolve));
  const otlp = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
  const lines: string[] = [];
  const logger = createLogger({ format: 'json', write: line => lines.push(line) });
  const tracing = await openTracing({ otlp, sample: 1 }, logger, {});
  tracing?.begin('GET /x', new Headers(), { 'realm.tenant': 'acme' }).end();
  await tracing?.close();
  collector.close();
  assert.deepEqual([got[0]?.url, got[0]?.type], ['/v1/traces', 'application/x-protobuf']);
  assert.match(got[0]?.body ?? '', /service\.name.*realm.*GET \/x.*acme/s);
  assert.deepEqual(lines, []);

  const away = await openTracing({ otlp, sample: 1 }, logger, {});
  away?.begin('GET /y', new Headers(), {}).end();
  await away?.close();
});

test('the address is that of all signals, or of the traces', () => {
  assert.equal(tracesUrl('http://c:4318'), 'http://c:4318/v1/traces');
  assert.equal(tracesUrl('http://c:4318/otel/'), 'http://c:4318/otel/v1/traces');
  assert.equal(tracesUrl('http://c:4318/v1/traces'), 'http://c:4318/v1/traces');
});
