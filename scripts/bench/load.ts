/**
 * A load generator in a process of its own: one streaming completion for each of the jobs on standard input, all at once.
 * Prints what it saw: per job the ms to the first token and to the end, and the pieces that arrived.
 */
import { text } from 'node:stream/consumers';

export interface Job {
  readonly url: string;
  readonly key?: string;
  readonly body: object;
}

export interface Seen {
  readonly firstMs: number;
  readonly endMs: number;
  readonly tokens: number;
}

async function stream({ url, key, body }: Job): Promise<Seen> {
  const start = performance.now();
  const headers = { 'content-type': 'application/json', ...(key && { authorization: `Bearer ${key}` }) };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  let first = 0;
  let tokens = 0;
  let rest = '';
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop()!;
    for (const line of lines) {
      if (!line.startsWith('data: {')) continue;
      first ||= performance.now();
      const { usage } = JSON.parse(line.slice(6)) as { usage?: { completion_tokens: number } };
      tokens = usage?.completion_tokens ?? tokens;
    }
  }
  return { firstMs: first - start, endMs: performance.now() - start, tokens };
}

const jobs = JSON.parse(await text(process.stdin)) as Job[];
console.log(JSON.stringify(await Promise.all(jobs.map(stream))));
