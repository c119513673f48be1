/**
 * Saves what a server has computed of a long prompt, and goes on with it after a restart: the second server reads
 * the session from its file and computes only what is new.
 */
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serve } from '../src/index.ts';

await using folder = await mkdtempDisposable(join(tmpdir(), 'realm-example-'));
const config = {
  server: { port: 0, sessions: { path: join(folder.path, 'sessions') } },
  models: [{ id: 'small', catalog: 'smollm2-135m' }],
};
const book = 'The lighthouse keeper counted the ships that passed, and wrote each name into his book. '.repeat(20);

async function ask(question: string, more: object) {
  await using server = await serve(config);
  const body = { messages: [{ role: 'user', content: `${book}\n\n${question}` }], max_tokens: 16, ...more };
  const response = await fetch(`${server.url}/v1/chat/completions`, { method: 'POST', body: JSON.stringify(body) });
  const answer = await response.json();
  const { prompt_tokens: prompt, prompt_tokens_details: details } = answer.usage;
  console.log(`${prompt} tokens of prompt, ${details.cached_tokens} not computed again`);
  return answer;
}

const first = await ask('What did he count?', { save_session: 'book' });
console.log(`saved: ${first.session.tokens} tokens, ${first.session.bytes} bytes`);
await ask('Where did he write?', { session: 'book' });
