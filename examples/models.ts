/**
 * Serves several models from one process; a request's `model` says which one it wants. Here it is one file with two
 * system prompts and samplings; `path` names any GGUF file.
 */
import { serve } from '../src/index.ts';

await using server = await serve({
  server: { port: 0 },
  models: [
    {
      id: 'exact',
      catalog: 'smollm2-135m',
      context: 1024,
      system: 'Answer the question.',
      sampling: { temperature: 0 },
    },
    { id: 'dreamy', catalog: 'smollm2-135m', context: 1024, system: 'You are a poet.', sampling: { temperature: 0.9 } },
  ],
});

const { data } = await (await fetch(`${server.url}/v1/models`)).json();
console.log(`served: ${data.map((model: { id: string }) => model.id).join(', ')}`);

for (const model of ['exact', 'dreamy']) {
  const messages = [{ role: 'user', content: 'What is the capital of France?' }];
  const response = await fetch(`${server.url}/v1/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({ model, messages, max_tokens: 40, seed: 1 }),
  });
  console.log(`${model}: ${(await response.json()).choices[0].message.content}`);
}
