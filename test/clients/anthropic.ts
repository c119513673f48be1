/** Anthropic's client: the Messages API. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { earlier, question, result, type Served, said, weatherSchema } from './server.ts';

const weather: Anthropic.Tool = {
  ...{ name: 'weather', description: 'The weather of a city', input_schema: weatherSchema as never },
};

export function anthropic(served: Served): void {
  const messages = () => new Anthropic({ baseURL: served.url, apiKey: 'none', maxRetries: 0 }).messages;
  const settings = { model: 'qwen', max_tokens: 60, temperature: 0, tools: [weather] };
  const asked: Anthropic.MessageParam = { role: 'user', content: question };

  const { call: called } = earlier;
  const history: Anthropic.MessageParam[] = [
    { role: 'user', content: earlier.question },
    { role: 'assistant', content: [{ type: 'tool_use', id: called.id, name: called.name, input: called.arguments }] },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: called.id, content: earlier.result }] },
    { role: 'assistant', content: earlier.answer },
    asked,
  ];

  it('calls a named tool, and answers with its result', async () => {
    const choice = { tool_choice: { type: 'tool', name: 'weather' } } as const;
    const { content, stop_reason } = await messages()
      .stream({ ...settings, ...choice, messages: history })
      .finalMessage();
    assert.equal(stop_reason, 'tool_use');
    const call = content.find(block => block.type === 'tool_use');
    assert.deepEqual(call?.input, { city: 'Paris' });
    const block = { type: 'tool_result', tool_use_id: call?.id ?? '', content: result } as const;
    const turn: Anthropic.MessageParam[] = [
      { role: 'assistant', content },
      { role: 'user', content: [block] },
    ];
    const last = await messages().create({ ...settings, messages: [...history, ...turn] });
    assert.match(last.content.map(block => (block.type === 'text' ? block.text : '')).join(''), said);
  });

  it('counts what the prompt has', async () => {
    const { input_tokens } = await messages().countTokens({ model: 'qwen', tools: [weather], messages: [asked] });
    const { usage } = await messages().create({ ...settings, max_tokens: 1, messages: [asked] });
    assert.equal(usage.input_tokens + (usage.cache_read_input_tokens ?? 0), input_tokens);
  });
}
