/** LangChain's client of OpenAI's API. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { z } from 'zod';
import { load } from './installed.ts';
import { earlierMessages, question, result, type Served, said } from './server.ts';

const City = z.object({ name: z.string(), country: z.string().max(30) });

export function langchain(served: Served): void {
  const { ChatOpenAI, OpenAIEmbeddings } = load('@langchain/openai');
  const { tool } = load('@langchain/core/tools');
  const settings = (model: string) => ({
    ...{ model, apiKey: 'none', temperature: 0, maxTokens: 60, maxRetries: 0 },
    configuration: { baseURL: `${served.url}/v1` },
  });
  const chat = (model: string, more: object = {}) => new ChatOpenAI({ ...settings(model), ...more });
  const weather = tool(async () => result, {
    ...{ name: 'weather', description: 'The weather of a city', schema: z.object({ city: z.string() }) },
  });

  it('invokes and streams, and over the Responses API too', async () => {
    const prompt = 'Name the capital city of France.';
    const whole = await chat('smol').invoke(prompt);
    assert.match(whole.text, /Paris/);
    assert.ok(whole.usage_metadata.output_tokens > 1);
    for (const useResponsesApi of [false, true]) {
      let text = '';
      for await (const part of await chat('smol', { useResponsesApi }).stream(prompt)) text += part.text;
      assert.equal(text, whole.text);
    }
  });

  for (const method of ['jsonSchema', 'functionCalling']) {
    it(`withStructuredOutput by ${method}`, async () => {
      const structured = chat('qwen').withStructuredOutput(City, { name: 'city', method });
      const answer = await structured.invoke('Describe Paris as JSON: its name and country.');
      assert.deepEqual(answer, { name: 'Paris', country: 'France' });
    });
  }

  it('bindTools: a call, its result, an answer', async () => {
    const bound = chat('qwen').bindTools([weather]);
    const asked = [...earlierMessages, { role: 'user', content: question }];
    const first = await bound.invoke(asked);
    const [call] = first.tool_calls;
    assert.deepEqual(call?.args, { city: 'Paris' });
    const last = await bound.invoke([...asked, first, await weather.invoke(call)]);
    assert.match(last.text, said);
  });

  it('bindTools: the call of a named tool, streamed', async () => {
    const parts = [];
    for await (const part of await chat('qwen').bindTools([weather], { tool_choice: 'weather' }).stream(question))
      parts.push(part);
    const { tool_calls } = parts.reduce((all, part) => all.concat(part));
    assert.deepEqual(tool_calls[0]?.args, { city: 'Paris' });
  });

  it('embeds', async () => {
    const embedded = await new OpenAIEmbeddings(settings('smol')).embedDocuments(['a cat', 'a kitten']);
    assert.deepEqual(
      embedded.map(({ length }: number[]) => length),
      [576, 576],
    );
  });
}
