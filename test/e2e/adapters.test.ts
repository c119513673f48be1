/** The official client on a real server and the real model: adapters as models, loaded and unloaded meanwhile; embeddings. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import OpenAI from 'openai';
import { syntheticAdapter } from '../../scripts/synthetic/adapter.ts';
import { encodeGguf } from '../../scripts/synthetic/gguf-writer.ts';
import { openGguf } from '../../src/gguf/open.ts';
import { createKey } from '../../src/tenancy/keys.ts';
import { at, first } from '../support/entries.ts';
import { client, folder, modelPath, type RunningServer, serve } from './server-process.ts';

const keys = { plain: createKey('plain'), own: createKey('own'), admin: createKey('admin') };
let files: Awaited<ReturnType<typeof folder>>;
let server: RunningServer;

/** An adapter for the real model that changes what it says. */
async function adapterFor(path: string, seed: number): Promise<Uint8Array> {
  const file = await openGguf(path);
  try {
    return encodeGguf(
      syntheticAdapter(file.tensors.values(), { seed, rank: 4, strength: 2, tensors: /attn_[qv]|ffn_down/ }),
    );
  } finally {
    await file.close();
  }
}

before(async () => {
  const path = await modelPath();
  files = await folder({
    'first.gguf': await adapterFor(path, 1),
    'second.gguf': await adapterFor(path, 2),
    'text.gguf': 'no adapter'.repeat(100),
    'realm.yaml': `
server: { admin_keys: ["${keys.admin.hash}"] }
models:
  - { id: tiny, path: ${JSON.stringify(path)}, context: 512, adapters: [{ id: first, path: first.gguf }] }
tenants:
  - { id: plain, keys: ["${keys.plain.hash}"] }
  - { id: own, keys: ["${keys.own.hash}"], adapter: first }
`,
  });
  server = await serve('--config', `${files.path}/realm.yaml`);
});
after(async () => {
  await server?.process.stop();
  await files?.remove();
});

async function ask(model: string, who: 'plain' | 'own' = 'plain'): Promise<string> {
  const answer = await client(server.url, keys[who].key).chat.completions.create({
    model,
    messages: [
      { role: 'system', content: 'Answer the question.' },
      { role: 'user', content: 'Name the capital city of France.' },
    ],
    temperature: 0,
    max_tokens: 30,
  });
  assert.equal(answer.model, model);
  return first(answer.choices).message.content ?? '';
}

async function administer(action: 'load' | 'unload', body: object, key = keys.admin.key) {
  const headers = { authorization: `Bearer ${key}` };
  const request = { method: 'POST', headers, body: JSON.stringify(body) };
  const response = await fetch(`${server.url}/v1/${action}_lora_adapter`, request);
  const json = (await response.json()) as { error?: { code: string } };
  return [response.status, json.error?.code];
}

test('adapters of the configuration and of run time, side by side with the base model', async () => {
  const second = { lora_name: 'second', lora_path: join(files.path, 'second.gguf') };
  const base = await ask('tiny');
  assert.match(base, /Paris/);
  const first = await ask('first');
  assert.notEqual(first, base);
  assert.equal(await ask('tiny', 'own'), first);
  const busy = ask('tiny');
  assert.deepEqual(await administer('load', second), [200, undefined]);
  assert.deepEqual(await administer('load', second), [409, 'adapter_exists']);
  const { data } = await client(server.url, keys.plain.key).models.list();
  assert.deepEqual(
    data.map(({ id }) => id),
    ['tiny', 'first', 'second'],
  );
  const changed = await ask('second');
  assert.equal(new Set([base, first, changed]).size, 3);
  const names = ['second', 'tiny', 'first', 'second', 'tiny', 'first'];
  const expected = new Map([['second', changed] as const, ['tiny', base] as const, ['first', first] as const]);
  assert.deepEqual(
    await Promise.all(names.map(name => ask(name))),
    names.map(name => expected.get(name as 'tiny')),
  );
  assert.equal(await busy, base);
  assert.deepEqual(await administer('unload', { lora_name: 'second' }), [200, undefined]);
  await assert.rejects(ask('second'), { status: 404, code: 'model_not_found' });
  assert.equal(await ask('tiny'), base);
});

test('files that are no adapters for the model, and keys that are not the operator’s', async () => {
  const load = (path: string, key?: string) => administer('load', { lora_name: 'x', lora_path: path }, key);
  assert.deepEqual(await load(join(files.path, 'text.gguf')), [400, 'gguf_invalid']);
  assert.deepEqual(await load(join(files.path, 'none.gguf')), [404, 'model_file_missing']);
  assert.deepEqual(await load(await modelPath()), [400, 'adapter_invalid']);
  assert.deepEqual(await load(join(files.path, 'second.gguf'), keys.plain.key), [401, 'invalid_api_key']);
});

const cosine = (a: readonly number[], b: readonly number[]) => a.reduce((sum, value, i) => sum + value * at(b, i), 0);

test('embeddings: floats as the client asks for them by itself, of length 1, near for texts that are near', async () => {
  const { embeddings } = client(server.url, keys.plain.key);
  const capital = 'Paris is the capital of France.';
  const input = [capital, 'The capital of France is Paris.', 'def f(x): return x ** 2'];
  const { data, usage } = await embeddings.create({ model: 'tiny', input });
  const [a = [], b = [], c = []] = data.map(({ embedding }) => embedding);
  assert.equal(a.length, 576);
  assert.ok(Math.abs(cosine(a, a) - 1) < 1e-5);
  assert.ok(cosine(a, b) > cosine(a, c) + 0.05, `${cosine(a, b)}, ${cosine(a, c)}`);
  assert.ok(usage.prompt_tokens > 12 && usage.total_tokens === usage.prompt_tokens);
  const plain = await embeddings.create({ model: 'tiny', input: capital, encoding_format: 'float' });
  assert.deepEqual(first(plain.data).embedding, a);
  const adapted = await embeddings.create({ model: 'first', input: capital, encoding_format: 'float' });
  assert.notDeepEqual(first(adapted.data).embedding, a);
  await assert.rejects(embeddings.create({ model: 'tiny', input: '' }), OpenAI.BadRequestError);
  await assert.rejects(embeddings.create({ model: 'tiny', input: 'x', dimensions: 99 }), { param: 'dimensions' });
});
