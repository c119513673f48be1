/** Limits the time that a request may take: on the server for each tenant, and in a client by a signal. */
import { createHash } from 'node:crypto';
import { serve } from '../src/index.ts';

const hash = (key: string) => `sha256:${createHash('sha256').update(key).digest('hex')}`;
await using server = await serve({
  server: { port: 0 },
  models: [{ id: 'small', catalog: 'smollm2-135m' }],
  tenants: [
    { id: 'patient', keys: [hash('a-key-for-patient')] }, // ten minutes
    { id: 'hasty', keys: [hash('a-key-for-hasty')], deadline_ms: 1000 },
  ],
});

/** Bans the tokens that would end the story. */
const noEnd = { 0: -100, 2: -100 };

async function write(tenant: string, max_tokens: number, signal?: AbortSignal): Promise<string> {
  const response = await fetch(`${server.url}/v1/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer a-key-for-${tenant}` },
    body: JSON.stringify({ prompt: 'Once upon a time', max_tokens, logit_bias: noEnd }),
    signal: signal ?? null,
  });
  const { choices, error } = await response.json();
  return `${response.status} ${error?.code ?? JSON.stringify(choices[0].text)}`;
}

console.log('patient:', await write('patient', 8));
console.log('hasty:  ', await write('hasty', 8000));
const impatient = await write('patient', 8000, AbortSignal.timeout(200)).catch((error: Error) => error.name);
console.log('a client that waits for 200 ms:', impatient);
