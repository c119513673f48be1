/** Anthropic's client: the Messages API. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { question, type Served, weatherIn, weatherSchema } from './server.ts';

const weather: Anthropic.Tool = {
  ...{ name: 'weather', description: 'The weather of a city', input_schema: weatherSchema as never },
};

export function anthropic(served: Served): void {
  const messages = () => new Anthropic({ baseURL: served.url, apiKey: 'none', maxRetries: 0 }).messages;
  const settings = { model: 'qwen', max_tokens: 60, temperature: 0, tools: [weather] };
  const asked: Anthropic.MessageParam = { role: 'user', content: question };

  it('calls a named tool, and answers with its result', async () => {
    const choice = { tool_choice: { type: 'tool', name: 'weather' } } as const;
    const { content, stop_reason } = await messages()
      .stream({ ...settings, ...choice, messages: [asked] })
      .finalMessage();
    assert.equal(stop_reason, 'tool_use');
    const call = content.find(block => block.type === 'tool_use');
    assert.deepEqual(call?.input, { city: 'Paris' });
    const result = { type: 'tool_result', tool_use_id: call?.id ?? '', content: weatherIn('Paris') } as const;
    const history: Anthropic.MessageParam[] = [
      ...[asked, { role: 'assistant', content } as const, { role: 'user', content: [result] } as const],
    ];
    const last = await messages().create({ ...settings, messages: history });
    assert.match(last.content.map(block => (block.type === 'text' ? block.text : '')).join(''), /31|sunny/i);
  });

  it('counts what the prompt has', async () => {
    const { input_tokens } = await messages().countTokens({ model: 'qwen', tools: [weather], messages: [asked] });
    const { usage } = await messages().create({ ...settings, max_tokens: 1, messages: [asked] });
    assert.equal(usage.input_tokens + (usage.cache_read_input_tokens ?? 0), input_tokens);
  });
}
