/** What tenants may see of each other: nothing. A real server, the real model, and neighbours that do their worst. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createKey } from '../../src/tenancy/keys.ts';
import { folder, metric, modelPath, type RunningServer, serve, until } from './server-process.ts';

const names = ['calm', 'greedy', 'hasty', 'curious'] as const;
type Name = (typeof names)[number];
const keys = Object.fromEntries(names.map(name => [name, createKey(name)])) as Record<
  Name,
  ReturnType<typeof createKey>
>;
let files: Awaited<ReturnType<typeof folder>>;
let server: RunningServer;

before(async () => {
  const tenants = names.map(id => `  - { id: ${id}, keys: ["${keys[id].hash}"], max_queued: 40 }`).join('\n');
  files = await folder({
    'realm.yaml': `server: { metrics: public }\nmodels:\n  - { id: tiny, path: ${JSON.stringify(await modelPath())}, context: 1024 }\ntenants:\n${tenants}\n`,
  });
  server = await serve('--config', `${files.path}/realm.yaml`);
});
after(async () => {
  await server?.process.stop();
  await files?.remove();
});

function ask(tenant: Name, body: object, init: RequestInit = {}): Promise<Response> {
  const headers = { authorization: `Bearer ${keys[tenant].key}`, 'content-type': 'application/json', ...init.headers };
  return fetch(`${server.url}/v1/completions`, {
    ...init,
    method: 'POST',
    headers,
    body: JSON.stringify({ max_tokens: 24, temperature: 0, ...body }),
  });
}

/** Every byte of a stream but for what differs from request to request. */
async function bytes(tenant: Name, body: object): Promise<string> {
  const text = await (await ask(tenant, { ...body, stream: true, stream_options: { include_usage: true } })).text();
  assert.match(text, /\[DONE\]\n\n$/);
  return text.replace(/"id":"[^"]+"/g, '').replace(/"created":\d+/g, '');
}

const words = 'harbour stone winter river market engine paper forest silver candle'.split(' ');
const prompt = (seed: number, length: number) =>
  Array.from({ length }, (_, i) => words[(seed * 7 + i * (seed + 3)) % words.length]).join(' ');

/** Greedy, sampled, with log-probabilities: answers in which any other bit of the logits would show. */
const calm = [
  { prompt: prompt(1, 60), logprobs: 5 },
  { prompt: prompt(2, 33), temperature: 1, seed: 11, logprobs: 3 },
  { prompt: prompt(3, 90), temperature: 0.8, top_p: 0.9, top_k: 40, seed: -5, frequency_penalty: 0.5 },
];

test("a tenant's bytes are the same alone and beside a flood, clients that leave, and a full cache", async () => {
  const alone = [];
  for (const body of calm) alone.push(await bytes('calm', { ...body, prompt: `alone: ${body.prompt}` }));
  const again = [];
  // Another first word each time, so that the cache has no part in it; the answers must then be compared with their own alone.
  for (const body of calm) again.push(await bytes('calm', { ...body, prompt: `again: ${body.prompt}` }));

  let over = false;
  const flood = Array.from({ length: 24 }, async (_, i) => {
    for (let n = 0; !over; n++) await (await ask('greedy', { prompt: prompt(i + 31 * n, 80), max_tokens: 40 })).text();
  });
  const leaving = Array.from({ length: 8 }, async (_, i) => {
    for (let n = 0; !over; n++) {
      const signal = AbortSignal.timeout(5 + ((i * 37 + n * 61) % 250));
      const left = ask('hasty', { prompt: prompt(i + 17 * n, 70), stream: true }, { signal });
      await left.then(response => response.text()).catch(() => {});
    }
  });
  try {
    await until(
      'the server is busy',
      async () => (await metric(server.url, 'realm_sequences_running')) > 10 || undefined,
    );
    for (let round = 0; round < 3; round++) {
      // At once with each other too; the same words in the cache by now, and in another tenant's requests.
      const beside = await Promise.all([
        ...calm.map(body => bytes('calm', { ...body, prompt: `alone: ${body.prompt}` })),
        ...calm.map(body => bytes('curious', { ...body, prompt: `again: ${body.prompt}` })),
      ]);
      const answers = beside.map(withoutUsage);
      assert.deepEqual(answers, [...alone, ...again].map(withoutUsage));
    }
  } finally {
    over = true;
    await Promise.all([...flood, ...leaving]);
  }
  await until('all is quiet', async () => (await metric(server.url, 'realm_requests_open')) === 0 || undefined);
  const now = (name: string) => metric(server.url, `realm_${name}`);
  const [running, waiting] = [await now('sequences_running'), await now('sequences_waiting')];
  const [used, cached] = [await now('kv_pages_used'), await now('kv_pages_cached')];
  assert.deepEqual({ running, waiting, leaked: used - cached }, { running: 0, waiting: 0, leaked: 0 });
});

/** How much the cache had may differ; nothing else. */
function withoutUsage(text: string): string {
  return text.replace(/"cached_tokens":\d+/g, '');
}

test("a tenant finds its own prefixes and nobody else's, whatever the request claims", async () => {
  const secret = prompt(77, 120);
  const cached = async (tenant: Name, more: object = {}) => {
    const { usage } = await (await ask(tenant, { prompt: secret, max_tokens: 1, ...more })).json();
    return usage.prompt_tokens_details.cached_tokens as number;
  };
  assert.equal(await cached('calm'), 0);
  const own = await cached('calm');
  assert.ok(own >= 96, `${own} tokens were cached`);
  assert.equal(await cached('curious'), 0);
  for (const claim of [{ user: 'calm' }, { cache_salt: 'calm' }, { tenant: 'calm' }, { prompt_cache_key: 'calm' }])
    assert.equal(await cached('greedy', { ...claim, prompt: `${JSON.stringify(claim)} ${secret}` }), 0);
});

test('answers to one prompt share it: n counts it once and the model computes it once', async () => {
  const before = await metric(server.url, 'realm_kv_pages_used');
  const request = { prompt: prompt(55, 150), n: 4, temperature: 1, seed: 3, max_tokens: 8 };
  const { choices, usage } = await (await ask('calm', request)).json();
  const pages = (await metric(server.url, 'realm_kv_pages_used')) - before;
  const full = Math.ceil(usage.prompt_tokens / 32);
  assert.ok(pages <= full + 1, `${pages} pages stay of a prompt of ${full}`);
  assert.equal(new Set(choices.map(({ text }: { text: string }) => text)).size, 4);
  assert.equal(usage.prompt_tokens_details.cached_tokens, 0);
  for (const [i, { text }] of choices.entries()) {
    const single = await (await ask('calm', { ...request, n: 1, seed: 3 + i })).json();
    assert.equal(single.choices[0].text, text);
  }
});

test('a request is cancelled by the name that its client gave it, in the middle of its answer', async () => {
  const headers = { 'x-client-request-id': 'the long one' };
  const body = { prompt: prompt(5, 20), max_tokens: 900, stream: true, logit_bias: { 0: -100, 2: -100 } };
  const response = await ask('calm', body, { headers });
  const text = response.text();
  const authorization = (tenant: Name) => ({ authorization: `Bearer ${keys[tenant].key}` });
  const cancel = (tenant: Name) =>
    fetch(`${server.url}/v1/requests/the%20long%20one`, { method: 'DELETE', headers: authorization(tenant) });
  assert.equal((await cancel('curious')).status, 404);
  assert.equal((await cancel('calm')).status, 200);
  assert.match(await text, /"code":"request_cancelled"/);
  assert.equal(await metric(server.url, 'realm_sequences_running'), 0);
});
