/** Ollama's client. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Ollama } from 'ollama';
import { earlier, question, result, type Served, said, weatherSchema } from './server.ts';

export function ollama(served: Served): void {
  const options = { temperature: 0, num_predict: 60 };
  const tool = { name: 'weather', description: 'The weather of a city', parameters: weatherSchema as never };
  const tools = [{ type: 'function', function: tool }];
  const { name, arguments: given } = earlier.call;
  const asked = [
    { role: 'user', content: earlier.question },
    { role: 'assistant', content: '', tool_calls: [{ function: { name, arguments: given } }] },
    { role: 'tool', tool_name: name, content: earlier.result },
    { role: 'assistant', content: earlier.answer },
    { role: 'user', content: question },
  ];

  it('a call, its result, an answer', async () => {
    const client = new Ollama({ host: served.url });
    const { message } = await client.chat({ model: 'qwen', messages: asked, tools, options });
    assert.deepEqual(message.tool_calls?.[0]?.function.arguments, { city: 'Paris' });
    let text = '';
    const messages = [...asked, message, { role: 'tool', tool_name: name, content: result }];
    for await (const part of await client.chat({ model: 'qwen', messages, tools, options, stream: true }))
      text += part.message.content;
    assert.match(text, said);
  });

  it('a format is kept', async () => {
    const client = new Ollama({ host: served.url });
    const format = { type: 'object', properties: { country: { type: 'string' } }, required: ['country'] };
    const messages = [{ role: 'user', content: 'In which country is Paris? Answer as JSON.' }];
    const { message } = await client.chat({ model: 'qwen', messages, format, options });
    assert.deepEqual(JSON.parse(message.content), { country: 'France' });
  });
}
