/** How clients say that an answer may be as long as it wants: more than is left is cut, and -1 is as much as there is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scripted } from './scripted.ts';

const context = 200;
const messages = [{ role: 'user', content: 'go on' }];

/** A model that never ends by itself; what it generated for a body, in tokens. */
async function generatedFor(path: string, body: object): Promise<{ generated: number; prompt: number }> {
  const { app, model } = scripted({ answer: () => 'x'.repeat(10 * context), context });
  const headers = { 'content-type': 'application/json' };
  const response = await app.request(path, {
    method: 'POST',
    headers,
    body: JSON.stringify({ stream: false, ...body }),
  });
  assert.equal(response.status, 200, await response.clone().text());
  await response.text();
  return { generated: model.generated, prompt: model.requests[0]!.prompt.length };
}

const bodies: readonly (readonly [path: string, body: (most: number) => object])[] = [
  ['/v1/chat/completions', most => ({ messages, max_tokens: most })],
  ['/v1/chat/completions', most => ({ messages, max_completion_tokens: most })],
  ['/v1/chat/completions', most => ({ messages, n_predict: most })],
  ['/v1/completions', most => ({ prompt: 'go on', max_tokens: most })],
  ['/v1/responses', most => ({ input: 'go on', max_output_tokens: most })],
  ['/v1/messages', most => ({ messages, max_tokens: most })],
  ['/api/chat', most => ({ messages, options: { num_predict: most } })],
  ['/api/generate', most => ({ prompt: 'go on', options: { num_predict: most } })],
];

for (const [path, body] of bodies) {
  const field = Object.keys(body(1)).at(-1);
  test(`${path}, ${field}: 32,000 and -1 fill the context`, async () => {
    for (const most of [32_000, -1]) {
      const { generated, prompt } = await generatedFor(path, body(most));
      assert.equal(generated + prompt, context, `${most}`);
    }
  });
}

test("Ollama's -2 fills the context too", async () => {
  const { generated, prompt } = await generatedFor('/api/chat', { messages, options: { num_predict: -2 } });
  assert.equal(generated + prompt, context);
});
