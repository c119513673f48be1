/** Reads a server's metrics, in the form that Prometheus collects: requests, tokens, times and memory. */
import { serve } from '../src/index.ts';

await using server = await serve({ server: { port: 0 } });
for (const prompt of ['The sky is', 'The sea is', 'The grass is'])
  await fetch(`${server.url}/v1/completions`, { method: 'POST', body: JSON.stringify({ prompt, max_tokens: 8 }) });

const text = await (await fetch(`${server.url}/metrics`)).text();
const wanted = /^realm_(requests_total|tokens_total|time_to_first_token_seconds_sum|memory_bytes)/;
for (const line of text.split('\n')) if (wanted.test(line)) console.log(line);
