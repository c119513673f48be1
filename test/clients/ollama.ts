/** Ollama's client. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Ollama } from 'ollama';
import { question, type Served, weatherIn, weatherSchema } from './server.ts';

export function ollama(served: Served): void {
  const options = { temperature: 0, num_predict: 60 };
  const tool = { name: 'weather', description: 'The weather of a city', parameters: weatherSchema as never };
  const tools = [{ type: 'function', function: tool }];
  const asked = { role: 'user', content: question };

  it('a call, its result, an answer', async () => {
    const client = new Ollama({ host: served.url });
    const { message } = await client.chat({ model: 'qwen', messages: [asked], tools, options });
    assert.deepEqual(message.tool_calls?.[0]?.function.arguments, { city: 'Paris' });
    const result = { role: 'tool', tool_name: 'weather', content: weatherIn('Paris') };
    let text = '';
    const messages = [asked, message, result];
    for await (const part of await client.chat({ model: 'qwen', messages, tools, options, stream: true }))
      text += part.message.content;
    assert.match(text, /31|sunny/i);
  });

  it('a format is kept', async () => {
    const client = new Ollama({ host: served.url });
    const format = { type: 'object', properties: { country: { type: 'string' } }, required: ['country'] };
    const messages = [{ role: 'user', content: 'In which country is Paris? Answer as JSON.' }];
    const { message } = await client.chat({ model: 'qwen', messages, format, options });
    assert.deepEqual(JSON.parse(message.content), { country: 'France' });
  });
}
