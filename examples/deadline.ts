/** Limits the time that a request may take: on the server for each tenant, and in a client by a signal. */
import { createHash } from 'node:crypto';
import { serve } from '../src/index.ts';

const key = 'a-key-for-hasty';
const hash = `sha256:${createHash('sha256').update(key).digest('hex')}`;
await using server = await serve({
  server: { port: 0 },
  models: [{ id: 'small', catalog: 'smollm2-135m' }],
  tenants: [{ id: 'hasty', keys: [hash], deadline_ms: 3000 }],
});

/** Bans the tokens that would end the story. */
const noEnd = { 0: -100, 2: -100 };

function write(max_tokens: number, signal?: AbortSignal) {
  return fetch(`${server.url}/v1/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify({ prompt: 'Once upon a time', max_tokens, logit_bias: noEnd }),
    signal,
  });
}

const short = await write(4);
console.log('4 tokens:', short.status, JSON.stringify((await short.json()).choices[0].text));
const long = await write(8000);
console.log('8000 tokens:', long.status, (await long.json()).error.code);
const impatient = await write(8000, AbortSignal.timeout(200)).catch((error: Error) => error.name);
console.log('a client that waits for 200 ms:', impatient);
