/** A number that is refused is refused in the same words, whoever sent it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { number } from '../../src/cli/options.ts';
import { checkRequest } from '../../src/engine/admission.ts';
import type { GenerateRequest } from '../../src/engine/request.ts';
import { resolveSampling } from '../../src/engine/sampling/sampling.ts';
import { type Range, ranges } from '../../src/ranges.ts';
import type { ModelId } from '../../src/sandbox/model-id.ts';
import { readConfig } from '../../src/tenancy/config.ts';
import type { Token } from '../../src/tokenizer/types.ts';
import { generated, post, sandboxOf, scripted } from './scripted.ts';

const vocabSize = 256;
const token = (id: number) => id as Token;

/** What goes wrong in HTTP's words, and what the library and the engine call the same. */
const wrong: [string, object, Partial<GenerateRequest>][] = [
  ['temperature', { temperature: 2.5 }, { sampling: { temperature: 2.5 } }],
  ['top_k', { top_k: 1.5 }, { sampling: { topK: 1.5 } }],
  ['top_p', { top_p: -1 }, { sampling: { topP: -1 } }],
  ['min_p', { min_p: 7 }, { sampling: { minP: 7 } }],
  ['repetition_penalty', { repetition_penalty: 0 }, { sampling: { repetitionPenalty: 0 } }],
  ['presence_penalty', { presence_penalty: 3 }, { sampling: { presencePenalty: 3 } }],
  ['frequency_penalty', { frequency_penalty: -3 }, { sampling: { frequencyPenalty: -3 } }],
  ['seed', { seed: 1e300 }, { sampling: { seed: 1e300 } }],
  ['max_tokens', { max_tokens: -2 }, { maxTokens: -2 }],
  ['min_tokens', { min_tokens: -1 }, { minTokens: -1 }],
  ['max_tokens', { max_tokens: 1.5 }, { maxTokens: 1.5 }],
  ['priority', { priority: 1001 }, { priority: 1001 }],
  ['top_logprobs', { logprobs: true, top_logprobs: 21 }, { topLogprobs: 21 }],
  ['logit_bias.5', { logit_bias: { 5: 101 } }, { sampling: { logitBias: [[token(5), 101]] } }],
  ['logit_bias.256', { logit_bias: { 256: 1 } }, { sampling: { logitBias: [[token(256), 1]] } }],
];

function wordsOfEngine(rest: Partial<GenerateRequest>): string {
  const request = { id: 'r', tenant: 't', prompt: [token(7)], sampling: {}, ...rest };
  try {
    checkRequest(request, vocabSize, 100);
    resolveSampling(request.sampling, vocabSize, 0);
  } catch (error) {
    return (error as Error).message;
  }
  return 'nothing is wrong';
}

async function errorOf(body: object, overrides = {}): Promise<{ message: string; param: string | null }> {
  const { app } = scripted({ answer: () => 'x' }, overrides);
  const messages = [{ role: 'user', content: 'Hi' }];
  return (await (await app.fetch(post('/v1/chat/completions', { messages, ...body }))).json()).error;
}

for (const [param, body, request] of wrong) {
  test(`${JSON.stringify(body)}: over HTTP as from the library`, async () => {
    const error = await errorOf(body);
    assert.deepEqual([error.message, error.param], [wordsOfEngine(request), param]);
    assert.ok(error.message.startsWith(`${param}: `));
  });
}

test('a program hears the same, and its client that it was the program', async () => {
  const sandbox = sandboxOf(({ host, prompt, signal }) =>
    generated(host, { modelId: 0 as ModelId, prompt, options: { temperature: 2.5 } }, signal),
  );
  const error = await errorOf({}, { sandbox });
  const words = wordsOfEngine({ sampling: { temperature: 2.5 } });
  assert.deepEqual([error.message, error.param], [`The program asked for what cannot be: ${words}`, null]);
});

test('a command and realm.yaml say the same', async () => {
  const said = (range: Range, text: string) => {
    try {
      return number(range)(text);
    } catch (error) {
      return `${range.field}: ${(error as Error).message}`;
    }
  };
  const words = wordsOfEngine({ sampling: { temperature: 2.5 } });
  assert.equal(said(ranges.temperature, '2.5'), `${words}.`);
  assert.equal(said(ranges.maxTokens, '1.5'), `${wordsOfEngine({ maxTokens: 1.5 })}.`);
  assert.equal(said(ranges.topP, '0.5'), 0.5);
  const sampling = { temperature: 2.5 };
  const config = readConfig({ models: [{ id: 'm', catalog: 'smollm2-135m', sampling }] }, '.', 'realm.yaml');
  await assert.rejects(config, (error: Error) => error.message.includes(`models[0].sampling.${words}`));
});
