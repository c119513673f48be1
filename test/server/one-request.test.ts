/** A request is one object from its body to the engine: a field that is new to it needs nobody on the way. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EngineEvent, GenerateRequest } from '../../src/engine/request.ts';
import { textGeneration } from '../../src/llm/generate.ts';
import { answer } from '../../src/server/answer.ts';
import { Exchange } from '../../src/server/exchange.ts';
import type { GenerationBody } from '../../src/server/fields.ts';
import { createJob } from '../../src/server/job.ts';
import { tenantDefaults } from '../../src/tenancy/tenants.ts';
import type { Token } from '../../src/tokenizer/types.ts';
import { ScriptedModel, scripted, tokenizer } from './scripted.ts';

test('a field of the settings that nobody knows reaches the engine, and events keep their order', async () => {
  const model = new ScriptedModel('m', { answer: () => '' });
  const seen: GenerateRequest[] = [];
  const engine = {
    ...model.engine,
    async *submit(request: GenerateRequest): AsyncGenerator<EngineEvent> {
      seen.push(request);
      for (const token of [72, 105] as Token[])
        yield { kind: 'token', token, logprob: { token, logprob: -token, top: [] } };
      const usage = { promptTokens: request.prompt.length, cachedTokens: 0, completionTokens: 3 };
      yield { kind: 'end', reason: 'stop', usage };
    },
  };
  const generate = textGeneration(engine, { tokenizer });
  const { services } = scripted(
    { answer: () => '' },
    { models: [{ ...model, engine, generate, template: model.template, tokenizer }] },
  );
  const settings = {
    sampling: { seed: 3 },
    stop: ['x'],
    topLogprobs: 0,
    priority: 5,
    constraint: { kind: 'json_object' } as const,
  };
  const body: GenerationBody = {
    model: undefined,
    kind: 'completion',
    prompts: ['a', 'b'],
    settings,
    n: 1,
    stream: false,
    includeUsage: false,
  };
  const exchange = new Exchange(services, new Request('http://localhost/'));
  const job = createJob(
    services,
    exchange,
    { id: 'acme', ...tenantDefaults, queueMs: 9, weight: 2, maxQueued: 7 },
    body,
  );
  const events = await Array.fromAsync(answer(services, exchange, job));
  assert.equal(seen.length, 2);
  for (const request of seen) {
    const { id, prompt, stopTokens, adapter, maxTokens, ...same } = request;
    assert.deepEqual(same, { ...settings, tenant: 'acme', queueMs: 9, share: { weight: 2, maxWaiting: 7 } });
    assert.deepEqual([prompt.length, stopTokens, adapter, maxTokens], [2, [1], undefined, undefined]);
  }
  for (const index of [0, 1]) {
    const own = events.filter(event => event.index === index);
    assert.deepEqual(
      own.map(event =>
        event.kind === 'text' ? [event.content, event.logprobs.map(({ logprob }) => logprob)] : event.reason,
      ),
      [['H', [-72]], ['i', [-105]], 'stop'],
    );
    const end = own.at(-1)!;
    assert.ok(end.kind === 'end' && end.usage.completionTokens === 3 && end.tokens.length === 4);
  }
});
