/** Keys and texts of clients are in no log, no metric, no trace, and keys in no answer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import { tracingWith } from '../../src/telemetry/otlp.ts';
import { createKey } from '../../src/tenancy/keys.ts';
import { tenantDefaults } from '../../src/tenancy/tenants.ts';
import { adminAuthorization, keyAuthentication } from '../support/authentication.ts';
import { post, type Script, scripted } from './scripted.ts';

const [valid, admin, other] = [createKey('acme'), createKey('admin'), createKey('nobody')];
const wrong = `${valid.key.slice(0, -4)}0000`;
const text = 'canary7f3a';

function server(script: Script) {
  const exporter = new InMemorySpanExporter();
  const made = scripted(script, {
    localOnly: false,
    metricsFor: 'public',
    anyModelName: false,
    tracing: tracingWith(new SimpleSpanProcessor({ exporter })),
    authenticate: keyAuthentication([{ id: 'acme', keys: [valid.hash], ...tenantDefaults }]),
    authorizeAdmin: adminAuthorization([admin.hash], false),
  });
  made.services.logs.change({ level: 'debug' });
  return { ...made, exporter };
}

/** Bodies that are answered, and others that are refused for all kinds of reasons. */
const bodies: readonly (readonly [string, unknown])[] = [
  ['/v1/chat/completions', { messages: [{ role: 'user', content: text }] }],
  ['/v1/chat/completions', { messages: [{ role: 'user', content: text }], stream: true }],
  ['/v1/chat/completions', { messages: [{ role: 'user', content: text.repeat(100) }] }],
  ['/v1/chat/completions', { messages: text }],
  ['/v1/chat/completions', { messages: [{ role: text, content: text }], temperature: -1 }],
  ['/v1/chat/completions', { model: text, messages: [{ role: 'user', content: text }] }],
  ['/v1/chat/completions', `{"messages": [{"role": "user", "content": "${text}" oops`],
  ['/v1/completions', { prompt: text, stop: [text], echo: true, logprobs: 2 }],
  ['/v1/completions', { prompt: [text, text], suffix: text }],
  ['/v1/responses', { input: text, instructions: text }],
  ['/v1/messages', { max_tokens: 5, messages: [{ role: 'user', content: text }] }],
  ['/v1/embeddings', { input: text }],
  ['/v1/rerank', { query: text, documents: [text] }],
  ['/api/chat', { model: 'scripted', messages: [{ role: 'user', content: text }], stream: false }],
  ['/api/generate', { model: 'scripted', prompt: text, stream: false }],
  ['/tokenize', { content: text }],
  ['/apply-template', { messages: [{ role: 'user', content: text }] }],
  ['/v1/load_lora_adapter', { lora_name: 'x', lora_path: text }],
];

const scripts: Record<string, Script> = {
  answers: { answer: () => text },
  'cannot read': {
    answer: () => text,
    failAfter: { tokens: 3, error: new SyntaxError(`Unexpected token 'c', "${text}" is not valid JSON`) },
  },
  fails: { answer: () => text, failAfter: { tokens: 3, error: new Error('the model broke') } },
};

for (const [kind, script] of Object.entries(scripts)) {
  test(`a server that ${kind} tells nobody what it was asked, nor with which key`, async () => {
    const { app, lines, exporter } = server(script);
    const answers: string[] = [];
    for (const key of [valid.key, wrong, other.key, admin.key]) {
      for (const [path, body] of bodies) {
        for (const headers of [{ authorization: `Bearer ${key}` }, { 'x-api-key': key }, { authorization: key }]) {
          const response = await app.fetch(post(path, body, { headers: headers as Record<string, string> }));
          answers.push(await response.text(), JSON.stringify([...response.headers]));
        }
      }
    }
    const metrics = await app.fetch(
      new Request('http://localhost/metrics', { headers: { authorization: `Bearer ${admin.key}` } }),
    );
    const spans = exporter.getFinishedSpans();
    assert.ok(lines.length > 100 && spans.length > 100);
    const told = {
      log: JSON.stringify(lines),
      metrics: await metrics.text(),
      traces: JSON.stringify(
        spans.map(({ name, attributes, status, events }) => ({ name, attributes, status, events })),
      ),
    };
    for (const [where, all] of Object.entries(told)) assert.ok(!all.includes(text), `a text in the ${where}`);
    for (const [where, all] of Object.entries({ ...told, answers: answers.join('\n') })) {
      for (const { key } of [valid, admin, other, { key: wrong }])
        assert.ok(!all.includes(key.slice(-20)) && !all.includes(key.slice(0, 20)), `a key in the ${where}`);
    }
  });
}
