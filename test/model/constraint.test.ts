/** Constraints on a real model, through the engine's own threads. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Ajv } from 'ajv';
import type { EngineEvent } from '../../src/engine/request.ts';
import { openEngine } from '../../src/engine/worker/handle.ts';
import { textGeneration } from '../../src/llm/generate.ts';
import { openModelText } from '../../src/llm/model-text.ts';
import { encodeChat } from '../../src/llm/prompt.ts';
import type { ConstraintSource } from '../../src/output-format/constraint-source.ts';

const file = '../shared/models/SmolLM2-135M-Instruct.Q4_1.gguf';
const model = await openModelText(file);
const options = { file, threads: 1, context: 512 };
const engine = await openEngine(options);
const plain = await openEngine({ ...options, speculation: 'off' });
after(() => Promise.all([engine.close(), plain.close()]));

const schema = {
  type: 'object',
  properties: {
    first_name: { type: 'string', minLength: 1, maxLength: 12 },
    age: { type: 'integer', minimum: 0, maximum: 120 },
    favourite_colour: { enum: ['red', 'green', 'dark blue'] },
    tags: { type: 'array', items: { type: 'string', maxLength: 8 }, maxItems: 2 },
    address: {
      type: 'object',
      properties: { postal_code: { type: 'string', pattern: '^[0-9]{5}$' } },
      required: ['postal_code'],
      additionalProperties: false,
    },
  },
  required: ['first_name', 'age', 'favourite_colour', 'tags', 'address'],
  additionalProperties: false,
};
const validate = new Ajv().compile(schema);

async function ask(seed: number, constraint: ConstraintSource, on = engine, maxTokens = 300) {
  const content = `Describe person number ${seed} in JSON.`;
  const prompt = encodeChat(model, { messages: [{ role: 'user', content }] });
  const request = { id: `r${seed}`, tenant: 'a', prompt, maxTokens, sampling: { seed, temperature: 1 }, constraint };
  let text = '';
  let end: (EngineEvent & { kind: 'end' }) | undefined;
  for await (const event of textGeneration(on, model)(request)) {
    if (event.kind === 'text') text += event.text;
    else end = event;
  }
  return { text, reason: end!.reason, tokens: end!.usage.completionTokens };
}

const bySchema: ConstraintSource = { kind: 'json_schema', schema: JSON.stringify(schema) };

test('twenty answers sampled at temperature 1 fit their schema', async () => {
  const seeds = Array.from({ length: 20 }, (_, seed) => seed);
  const answers = await Promise.all(seeds.map(seed => ask(seed, bySchema)));
  for (const { text, reason } of answers) {
    assert.equal(reason, 'stop', text);
    assert.ok(validate(JSON.parse(text)), `${text} ${JSON.stringify(validate.errors)}`);
  }
  assert.ok(new Set(answers.map(({ text }) => text)).size > 10);
  // Alone, and without guesses, they are the same to the byte.
  for (const seed of [3, 11]) assert.deepEqual(await ask(seed, bySchema, plain), answers[seed]);
  const { acceptedTokens, draftedTokens } = await engine.stats();
  assert.ok(acceptedTokens > draftedTokens / 3, `${acceptedTokens} of ${draftedTokens} guessed tokens were right`);
});

test('regular expressions, grammars and choices', async () => {
  const choices = ['red', 'green', 'dark blue'];
  const asked: [ConstraintSource, RegExp][] = [
    [{ kind: 'regex', pattern: '[0-9]{3}-[a-z]{2,4}' }, /^[0-9]{3}-[a-z]{2,4}$/],
    [{ kind: 'gbnf', grammar: 'root ::= "yes" | "no" " " root' }, /^(no )*yes$/],
    [{ kind: 'choice', choices }, /^(red|green|dark blue)$/],
  ];
  for (const [constraint, pattern] of asked) {
    const { text, reason } = await ask(1, constraint, engine, 40);
    if (reason === 'stop') assert.match(text, pattern);
  }
});

test('what is wrong, or takes too long to compile, is refused by name, and others do not wait for it', async () => {
  const [invalid, unsupported, bomb] = await Promise.allSettled([
    ask(1, { kind: 'regex', pattern: '(' }),
    ask(1, { kind: 'json_schema', schema: '{"uniqueItems": true}' }),
    ask(1, {
      kind: 'choice',
      choices: Array.from({ length: 25_000 }, (_, i) => `${(i * 2_654_435_761) % 2 ** 32}-${i}`),
    }),
  ]);
  const code = (result: PromiseSettledResult<unknown>) => (result as PromiseRejectedResult).reason?.code;
  assert.deepEqual([invalid, unsupported, bomb].map(code), ['grammar_invalid', 'schema_unsupported', 'grammar_limit']);
  const { text } = await ask(2, { kind: 'choice', choices: ['still here'] });
  assert.equal(text, 'still here');
});
