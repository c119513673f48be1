/** Requests of one tenant that wait are answered by priority. Look at /v1/requests for what is open, and cancel what is not needed. */
import { serve } from '../src/index.ts';

await using server = await serve({ server: { port: 0 } });
const post = (name: string, priority: number, prompt: string, max_tokens: number) =>
  fetch(`${server.url}/v1/completions`, {
    method: 'POST',
    headers: { 'x-client-request-id': name },
    body: JSON.stringify({ prompt, max_tokens, priority }),
  }).then(response => response.json());

const report = (i: number) => `Report ${i}. ${'The numbers of the year were added up again and again. '.repeat(40)}`;
const finished: string[] = [];
const background = [1, 2, 3].map(i =>
  post(`report-${i}`, -10, report(i), 4).then(({ error }) => finished.push(error?.code ?? `report-${i}`)),
);
const urgent = post('urgent', 10, 'The capital of France is', 4).then(() => finished.push('urgent'));

await new Promise(resolve => setTimeout(resolve, 200));
const { data } = await (await fetch(`${server.url}/v1/requests`)).json();
console.log('open:', data.map((each: { client_request_id: string }) => each.client_request_id).join(', '));
await fetch(`${server.url}/v1/requests/report-3`, { method: 'DELETE' });

await Promise.all([...background, urgent]);
console.log('finished:', finished.join(', '));
