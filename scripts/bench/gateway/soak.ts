import { once } from 'node:events';
import { expect, type Figure, factFigure, number, quantile } from '../tenants/figures.ts';
import { load, type startServer } from './processes.ts';
import type { ScriptedAddress } from './scripted-server.ts';

type Server = Awaited<ReturnType<typeof startServer<ScriptedAddress>>>;

/** Bytes of the heap after a collection. */
async function heapOf({ child }: Server): Promise<number> {
  const answer = once(child, 'message');
  child.send('memory');
  const [memory] = await answer;
  return (memory as NodeJS.MemoryUsage).heapUsed;
}

/** Whether the heap after a tenth of the requests is the heap after all of them. */
export async function soak(server: Server, requests: number, body: string): Promise<Figure[]> {
  const { url, keys } = server.address;
  const headers = { authorization: `Bearer ${keys[0]}` };
  const ask = (count: number) =>
    load({ url: `${url}/v1/chat/completions`, headers, body, clients: 32, warmSeconds: 0, seconds: 0, count });
  await ask(Math.ceil(requests / 10));
  const early = await heapOf(server);
  const seen = await ask(Math.floor((9 * requests) / 10));
  const late = await heapOf(server);
  const grown = late / early - 1;
  const megabytes = (bytes: number) => `${number(bytes / 1e6)} MB`;
  const said = `${megabytes(early)}, then ${megabytes(late)}: ${number(100 * grown)} %`;
  return [
    factFigure(`heap over ${requests} requests (${number(seen.perSecond)}/s)`, said, 'at most 5 % more', grown <= 0.05),
  ];
}

/** Names and keys that nobody knows: what is counted of them, and how long counting takes. */
export async function junk(server: Server, count: number): Promise<Figure[]> {
  const { url, keys, adminKey } = server.address;
  const work = { url: `${url}/v1/chat/completions`, clients: 32, warmSeconds: 0, seconds: 0, count };
  const messages = [{ role: 'user', content: 'Hi' }];
  const stranger = { authorization: 'Bearer realm_{i}' };
  const ask = async (share: number) => {
    const some = { ...work, count: Math.ceil(share * count) };
    const known = { authorization: `Bearer ${keys[0]}` };
    await load({ ...some, headers: known, body: JSON.stringify({ model: 'junk-{i}', messages }) });
    await load({ ...some, headers: stranger, body: JSON.stringify({ model: 'scripted', messages }) });
  };
  await ask(0.1);
  const early = await heapOf(server);
  await ask(1);
  const late = await heapOf(server);
  const times: number[] = [];
  let metrics = '';
  for (let i = 0; i < 9; i++) {
    const started = performance.now();
    const answer = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${adminKey}` } });
    metrics = await answer.text();
    times.push(performance.now() - started);
    expect(answer.ok, metrics);
  }
  const ms = quantile(times, 0.5);
  const series = metrics.split('\n').filter(line => line !== '' && !line.startsWith('#')).length;
  return [
    factFigure(`time series after ${count} unknown models and keys`, String(series), '2000 at most', series <= 2000),
    factFigure('/metrics', `${number(ms)} ms`, '20 ms at most', ms <= 20),
    factFigure(
      'heap',
      `${number(early / 1e6)} MB, then ${number(late / 1e6)} MB`,
      'at most 5 % more',
      late <= 1.05 * early,
    ),
  ];
}
