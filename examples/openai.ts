/** Talks to Realm with OpenAI's own client: only the address differs. Any program that takes a base URL works like this. */
import OpenAI from 'openai';
import { serve } from '../src/index.ts';

await using server = await serve({ server: { port: 0 } });
const openai = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none' });

const stream = await openai.chat.completions.create({
  model: 'smollm2-135m',
  messages: [{ role: 'user', content: 'Name the capital city of France.' }],
  stream: true,
  stream_options: { include_usage: true },
});
for await (const { choices, usage } of stream) {
  process.stdout.write(choices[0]?.delta.content ?? '');
  if (usage) console.log(`\n${usage.total_tokens} tokens`);
}
