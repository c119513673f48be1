/** Models whose files have something wrong that an answer does not need: they load, and whoever starts them hears of it. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { MetaValue } from '../../scripts/synthetic/gguf-writer.ts';
import { writeSynthetic } from '../../scripts/synthetic/model.ts';
import type { LoadedModel } from '../../src/llm/load.ts';
import { loadModel } from '../../src/llm/load.ts';
import { renderChat } from '../../src/llm/prompt.ts';
import { definitionOf, type LoaderOptions, modelLoader } from '../../src/server/model-loader.ts';
import type { ModelEntry } from '../../src/tenancy/config.ts';
import type { Token } from '../../src/tokenizer/types.ts';
import { at, first } from '../support/entries.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'realm-load-'));
});
after(() => rm(folder, { recursive: true }));

const small = { width: 64, heads: 4, kvHeads: 2, ffn: 96, vocab: 400, layers: 1 };
const templateOf = (value: string): Record<string, MetaValue> => ({
  'tokenizer.chat_template': { type: 'string', value },
});

async function load<T>(
  metadata: Record<string, MetaValue>,
  config: Partial<ModelEntry>,
  use: (model: LoadedModel, warnings: readonly string[]) => T,
): Promise<T> {
  const path = join(folder, 'model.gguf');
  writeSynthetic(path, { with: small, metadata });
  const warnings: string[] = [];
  const onWarning = (warning: string) => warnings.push(warning);
  const model = await loadModel({ source: { path }, context: 64, ...config }, { threads: 1, onWarning });
  try {
    return await use(model, warnings);
  } finally {
    await model.engine.close();
  }
}

async function answer(model: LoadedModel): Promise<string> {
  const tokens = model.tokenizer.encode('Hello') as Token[];
  const request = { id: 'a', tenant: 'a', prompt: tokens, maxTokens: 3, sampling: { temperature: 0 } };
  for await (const event of model.generate(request)) if (event.kind === 'end') return event.reason;
  return 'nothing';
}

const chat = { messages: [{ role: 'user', content: 'Hello' }] };

test('a special token outside the vocabulary', async () => {
  const metadata: Record<string, MetaValue> = {
    'tokenizer.ggml.eos_token_id': { type: 'u32', value: 4294967295 },
    'tokenizer.ggml.unknown_token_id': { type: 'string', value: 'none' },
  };
  await load(metadata, {}, async (model, warnings) => {
    assert.match(warnings.join('\n'), /eos_token_id is 4294967295.*\n.*unknown_token_id is "none"/);
    assert.match(await answer(model), /length|stop/);
  });
});

test('a template that does not parse: chats are refused, the rest is not', async () => {
  await load(templateOf('{% for %}'), { sharedPrompts: ['Be kind.'] }, async (model, warnings) => {
    assert.match(first(warnings), /chats will be refused.*chat_template/s);
    assert.match(at(warnings, 1), /shared prompt/);
    assert.match(await answer(model), /length|stop/);
    assert.throws(() => renderChat(model, chat), { code: 'template_invalid', message: /realm\.yaml/ });
  });
});

test('a template of the configuration goes before it; a wrong one is refused at the start', async () => {
  const chatTemplate = { source: '[{{ messages[0].content }}]' };
  await load(templateOf('{% for %}'), { chatTemplate }, (model, warnings) => {
    assert.deepEqual(warnings, []);
    assert.equal(renderChat(model, chat).text, '[Hello]');
  });
  const wrong = { chatTemplate: { source: '{% for %}' } };
  await assert.rejects(
    load({}, wrong, () => {}),
    { code: 'template_invalid', message: /^models\[\]\.chat_template/ },
  );
});

test('a template without a system role: a configured system prompt is in the first user turn', async () => {
  const gemma = `{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{% for m in messages %}[{{ m.role }}:{{ m.content }}]{% endfor %}`;
  await load(templateOf(gemma), { system: 'Be kind.' }, (model, warnings) => {
    assert.match(first(warnings), /no system role/);
    assert.equal(renderChat(model, chat).text, '[user:Be kind.\n\nHello]');
  });
});

test('a template that takes parts only gets parts', async () => {
  const parts = `{% for m in messages %}{% for part in m.content %}{% if part.type == 'text' %}{{ part.text }}{% endif %}{% endfor %}{% endfor %}`;
  await load(templateOf(parts), {}, (model, warnings) => {
    assert.deepEqual(warnings, []);
    assert.equal(renderChat(model, chat).text, 'Hello');
  });
});

test('a template that refuses every chat is known at the start', async () => {
  await load(templateOf("{{ raise_exception('never') }}"), {}, (_, warnings) => {
    assert.match(first(warnings), /chats will be refused.*never/);
  });
});

test('a model for a GPU needs none of this machine’s memory', async () => {
  const path = join(folder, 'placed.gguf');
  writeSynthetic(path, { with: small });
  const { signal } = new AbortController();
  const need = (entry: Partial<ModelEntry>, options: LoaderOptions = {}) =>
    modelLoader({} as Parameters<typeof modelLoader>[0], options).need(
      definitionOf({ source: { path }, ...entry }, 'm', 'file'),
      signal,
    );
  const whole = await need({});
  assert.ok(whole > 10_000);
  assert.equal(await need({ device: 'gpu:1' }), 0);
  assert.equal(await need({ device: 'cpu' }, { device: 'gpu' }), 0);
  // Nobody knows yet where it will be, or how much stays here.
  for (const entry of [{ device: 'auto' }, { device: 'gpu', gpuLayers: 1 }] as const)
    assert.equal(await need(entry), whole);
});
