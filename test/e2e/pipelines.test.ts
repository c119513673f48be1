/** Pipelines of examples/pipelines on a real model, over every way in. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { CallsClient } from '../server/calls-socket.ts';
import { namedFrames } from '../server/named-frames.ts';
import { client, folder, metric, modelPath, type RunningServer, serve } from './server-process.ts';

const examples = fileURLToPath(new URL('../../examples/pipelines/', import.meta.url));
const original = JSON.stringify({
  id: 'review',
  name: 'Review',
  inputs: { text: { type: 'string', required: true } },
  steps: [
    { id: 'sum-up', model: 'small', input: { template: 'Sum up in one word: {{text}}' }, output: 'summary' },
    { id: 'judge', model: 'big', input: 'summary' },
  ],
  outputs: { summary: 'summary', verdict: 'judge' },
});
const text = 'Paris is the capital of France.\n\nBerlin is the capital of Germany.';

describe('pipelines on a real model', () => {
  let server: RunningServer;
  let files: Awaited<ReturnType<typeof folder>>;

  before(async () => {
    const realm = {
      server: { port: 0, store: 'memory' },
      models: [{ id: 'small', path: await modelPath(), context: 320, aliases: ['big'] }],
      pipelines: [`${examples}summarize.yaml`, `${examples}extract.yaml`, 'review.json'],
    };
    files = await folder({ 'realm.yaml': JSON.stringify(realm), 'review.json': original });
    server = await serve('--config', `${files.path}/realm.yaml`);
  });
  after(async () => {
    await server?.process.stop();
    await files?.remove();
  });

  const run = (name: string, body: object) =>
    fetch(`${server.url}/v1/pipelines/${name}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });

  it('sums up the parts of a text at once, then the whole', async () => {
    const events = await namedFrames(await run('summarize', { input: { text }, stream: true }), { done: false });
    const { output, usage, steps } = events.at(-1);
    assert.equal(output.parts, 2);
    assert.ok(output.summary.length > 0);
    const told = events.filter(({ type, state }) => type === 'step' && state === 'started').map(({ step }) => step);
    assert.deepEqual(told.slice(0, 3).sort(), ['parts', 'parts[0].gist', 'parts[1].gist']);
    const tokens = events.filter(({ type, step }) => type === 'token' && step === 'summary');
    assert.equal(tokens.map(({ text }) => text).join(''), output.summary);
    const own = steps.reduce((sum: number, step: typeof usage) => sum + step.usage.completion_tokens, 0);
    assert.equal(own, usage.completion_tokens);
  });

  it('holds each step to its schema', async () => {
    const invoice = 'Invoice 17 of 2026-03-01, total 12.50 euro';
    const answer = await (await run('extract', { input: { invoice } })).json();
    assert.ok(answer.output, JSON.stringify(answer));
    const { invoice: read, doubts } = answer.output;
    if (read !== null) assert.deepEqual(Object.keys(read).sort(), ['date', 'number', 'total']);
    assert.ok(Array.isArray(doubts) && doubts.every(each => ['number', 'total', 'date'].includes(each)));
    const kept = await (await fetch(`${server.url}/v1/pipelines/runs/${answer.id}`)).json();
    assert.equal(kept.steps.length, answer.steps.length);
    assert.ok(kept.steps[0].output.startsWith('{"number":'));
  });

  it("runs the original's format", async () => {
    const { output } = await (await run('review', { input: { text } })).json();
    assert.deepEqual(Object.keys(output), ['summary', 'verdict']);
  });

  it('is a model of OpenAI’s client, streamed', async () => {
    const openai = client(server.url);
    const listed = (await openai.models.list()).data.map(({ id }) => id);
    assert.ok(listed.includes('pipeline/summarize'), String(listed));
    const messages = [{ role: 'user' as const, content: JSON.stringify({ text, sentences: 1 }) }];
    const stream = await openai.chat.completions.create({ model: 'pipeline/summarize', messages, stream: true });
    let said = '';
    for await (const { choices } of stream) said += choices[0]?.delta.content ?? '';
    assert.equal(JSON.parse(said).parts, 2);
  });

  it('is cancelled over a WebSocket, and nothing runs on', async () => {
    const socket = await new CallsClient(server.url.replace('http://', '')).opened();
    try {
      assert.equal((await socket.next()).type, 'auth_success');
      const long = Array.from({ length: 12 }, (_, i) => `Part ${i}: ${text.replace('\n\n', ' ')}`).join('\n\n');
      socket.send({ id: 1, function: 'pipeline', params: { name: 'summarize', input: { text: long } } });
      while ((await socket.next()).data?.type !== 'token');
      socket.send({ id: 1, function: 'cancel' });
      let last = await socket.next();
      while (last.status === 'streaming') last = await socket.next();
      assert.deepEqual(last, { id: 1, status: 'cancelled' });
      for (let i = 0; i < 100 && (await metric(server.url, 'realm_sequences_running')) > 0; i++)
        await new Promise(resolve => setTimeout(resolve, 50));
      assert.equal(await metric(server.url, 'realm_sequences_running'), 0);
    } finally {
      socket.socket.terminate();
    }
  });
});
