/** Schemas and grammars that cannot be held, or would cost too much: refused before anything is computed, and nobody waits for them. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { writeSynthetic } from '../../scripts/synthetic/model.ts';
import { loadModel, type ServedModel } from '../../src/llm/load.ts';
import { defaultConfig } from '../../src/tenancy/config.ts';
import { post, scripted } from './scripted.ts';

let folder: string;
let model: ServedModel;
let app: ReturnType<typeof scripted>['app'];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'realm-constraints-'));
  const path = join(folder, 'model.gguf');
  writeSynthetic(path, { with: { width: 64, heads: 4, kvHeads: 2, ffn: 96, vocab: 400, layers: 1 } });
  model = await loadModel({ source: { path }, context: 2048 }, { threads: 1 });
  const limits = { ...defaultConfig().limits, bodyBytes: 32 << 20 };
  ({ app } = scripted({ answer: () => '' }, { models: [model], limits }));
});
after(async () => {
  await model.engine.close();
  await rm(folder, { recursive: true });
});

const ask = (body: object) => app.fetch(post('/v1/completions', { prompt: 'a', max_tokens: 2, ...body }));
const times = (count: number, text: string) => text.repeat(count);
const nested = (depth: number, open: string, close: string, inner = '{}') =>
  JSON.parse(`${times(depth, open)}${inner}${times(depth, close)}`);
const words = (count: number) => Array.from({ length: count }, (_, i) => `${(i * 2_654_435_761) % 2 ** 32}-${i}`);

/** What it is, the field that asks for it, the code, and what the words name. */
const wrong: [what: string, body: object, code: string, words?: RegExp][] = [
  [
    'a keyword that cannot be held',
    { guided_json: { properties: { a: { uniqueItems: true } } } },
    'schema_unsupported',
    /uniqueItems.*a|a.*uniqueItems/,
  ],
  [
    'a keyword that nobody knows',
    { guided_json: { type: 'object', $dynamicRef: '#x' } },
    'schema_unsupported',
    /\$dynamicRef/,
  ],
  ['a reference to nowhere', { guided_json: { $ref: '#/$defs/none' } }, 'grammar_invalid|schema_unsupported', /none/],
  ['a broken regular expression', { guided_regex: '(' }, 'grammar_invalid'],
  ['a broken grammar', { grammar: 'root ::= (' }, 'grammar_invalid'],
  ['a grammar without its rule', { grammar: 'root ::= other' }, 'grammar_invalid', /other/],
  ['a schema that nothing fits', { guided_json: false }, 'grammar_invalid'],
  ['a grammar that nothing fits', { grammar: 'root ::= "a" root' }, 'grammar_invalid'],
  ['an expression that nothing fits', { guided_regex: '[^\\s\\S]' }, 'grammar_invalid'],
];

for (const [what, body, code, says] of wrong) {
  test(`${what} is refused by name`, async () => {
    const response = await ask(body);
    const { error } = await response.json();
    assert.equal(response.status, 400, what);
    assert.match(error.code, new RegExp(`^(${code})$`), error.message);
    if (says) assert.match(error.message, says);
  });
}

/** Bodies that mean to cost much. */
const bombs: [what: string, body: object][] = [
  ['a schema 3,000 lists deep', { guided_json: nested(3000, '{"type":"array","items":', '}') }],
  [
    'a schema that is a product',
    {
      guided_json: {
        allOf: Array.from({ length: 24 }, (_, i) => ({
          anyOf: [
            { properties: { [`a${i}`]: { const: 1 } }, required: [`a${i}`] },
            { properties: { [`b${i}`]: { const: 2 } }, required: [`b${i}`] },
          ],
        })),
      },
    },
  ],
  ['repetitions of repetitions', { guided_regex: '((((a{1,99}){1,99}){1,99}){1,99}){1,99}' }],
  ['an expression that remembers', { guided_regex: '(a|b)*a(a|b){200}c(a|b)*a(a|b){200}' }],
  ['25,000 choices', { guided_choice: words(25_000) }],
  ['a grammar 100,000 brackets deep', { grammar: `root ::= ${times(100_000, '(')}"a"${times(100_000, ')')}` }],
  [
    'a grammar of a megabyte',
    {
      grammar: `root ::= ${words(60_000)
        .map(word => `"${word}"`)
        .join(' | ')}`,
    },
  ],
  ['a schema of 10 MB', { guided_json: { enum: words(500_000) } }],
];

/** Processor time of all threads, the shortest of three tries: 250 ms of compiling, and what else a body takes. */
const mostMs = 1500;

for (const [what, body] of bombs) {
  test(`${what}: refused by its limit, or answered, in time`, async () => {
    let least = Number.POSITIVE_INFINITY;
    for (let tries = 0; tries < 3 && least > mostMs; tries++) {
      const begun = process.cpuUsage();
      const response = await ask(body);
      const { user, system } = process.cpuUsage(begun);
      least = Math.min(least, (user + system) / 1000);
      const { error } = await response.json();
      if (response.status !== 200)
        assert.deepEqual([response.status, error.code], [400, 'grammar_limit'], error.message);
    }
    assert.ok(least <= mostMs, `${least} ms`);
  });
}

test('others go on while a bomb is looked at', async () => {
  let tokens = 0;
  let over = false;
  const prompt = model.tokenizer.encode('a');
  const request = { id: 'other', tenant: 'other', prompt, maxTokens: 100, ignoreEnds: true, sampling: {} };
  const others = (async () => {
    while (!over) for await (const event of model.generate(request)) if (event.kind === 'text') tokens++;
  })();
  const began: number[] = [];
  const ended: number[] = [];
  for (let i = 0; i < 3; i++) {
    began.push(tokens);
    await ask({ guided_choice: words(25_000).map(word => `${i}${word}`) });
    ended.push(tokens);
  }
  over = true;
  await others;
  assert.ok(
    ended.every((count, i) => count > began[i]!),
    `${began} ${ended}`,
  );
});
