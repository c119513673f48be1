/** Vercel's AI SDK with its provider for OpenAI's API. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { z } from 'zod';
import { load } from './installed.ts';
import { earlier, question, result, type Served, said } from './server.ts';

const City = z.object({ name: z.string(), country: z.string().max(30) });

export function aiSdk(served: Served): void {
  const ai = load('ai');
  const connect = (model: string) => {
    const { createOpenAICompatible } = load('@ai-sdk/openai-compatible');
    const baseURL = `${served.url}/v1`;
    return createOpenAICompatible({ name: 'realm', baseURL, supportsStructuredOutputs: true, includeUsage: true })(
      model,
    );
  };
  const settings = { temperature: 0, maxOutputTokens: 60, maxRetries: 0 };
  const weather = () =>
    ai.tool({
      description: 'The weather of a city',
      inputSchema: z.object({ city: z.string() }),
      execute: async () => result,
    });

  it('streams text', async () => {
    const prompt = 'Name the capital city of France.';
    const { textStream, usage, finishReason } = ai.streamText({ ...settings, model: connect('smol'), prompt });
    const pieces: string[] = [];
    for await (const piece of textStream) pieces.push(piece);
    assert.match(pieces.join(''), /Paris/);
    assert.ok(pieces.length > 1);
    assert.ok((await usage).outputTokens > 1);
    assert.equal(await finishReason, 'stop');
  });

  it('makes objects, by both of its names for it', async () => {
    const asked = { ...settings, model: connect('qwen'), prompt: 'Describe Paris as JSON: its name and country.' };
    const { object } = await ai.generateObject({ ...asked, schema: City });
    assert.deepEqual(object, { name: 'Paris', country: 'France' });
    const { output } = await ai.generateText({ ...asked, output: ai.Output.object({ schema: City }) });
    assert.deepEqual(output, object);
  });

  it('runs a tool and answers with what it said', async () => {
    const { id: toolCallId, name: toolName, arguments: input } = earlier.call;
    const output = { type: 'text', value: earlier.result };
    const messages = [
      { role: 'user', content: earlier.question },
      { role: 'assistant', content: [{ type: 'tool-call', toolCallId, toolName, input }] },
      { role: 'tool', content: [{ type: 'tool-result', toolCallId, toolName, output }] },
      { role: 'assistant', content: earlier.answer },
      { role: 'user', content: question },
    ];
    const { text, steps } = await ai.generateText({
      ...settings,
      model: connect('qwen'),
      tools: { weather: weather() },
      stopWhen: ai.stepCountIs(3),
      messages,
    });
    assert.deepEqual(steps[0].toolCalls[0]?.input, { city: 'Paris' });
    assert.match(text, said);
  });

  it('streams a call that must come', async () => {
    const { fullStream, toolCalls } = ai.streamText({
      ...settings,
      model: connect('qwen'),
      tools: { weather: weather() },
      toolChoice: 'required',
      prompt: question,
    });
    const kinds = new Set<string>();
    for await (const { type } of fullStream) kinds.add(type);
    assert.ok(kinds.has('tool-input-delta') && kinds.has('tool-result') && !kinds.has('error'), [...kinds].join());
    assert.deepEqual((await toolCalls)[0].input, { city: 'Paris' });
  });

  it('embeds', async () => {
    const { createOpenAICompatible } = load('@ai-sdk/openai-compatible');
    const model = createOpenAICompatible({ name: 'realm', baseURL: `${served.url}/v1` }).embeddingModel('smol');
    const { embeddings } = await ai.embedMany({ model, values: ['a cat', 'a kitten', 'the stock market'] });
    const [cat, kitten, stocks] = embeddings;
    assert.ok(ai.cosineSimilarity(cat, kitten) > ai.cosineSimilarity(cat, stocks));
  });
}
