import { type Figure, expect, firstMs, number, quantile, ratioFigure, type Setup } from './figures.ts';
import type { Client, Seen } from './load.ts';
import { prompt } from './prompts.ts';
import { load, startRealm } from './servers.ts';

const connections = 32;
const quietRequests = 12;
const floodMs = 20_000;

/** A quiet tenant beside one that keeps 32 requests in flight and completes some 32 for each of the quiet one's. */
export async function flood({ model, tokenizer, rounds, promptTokens }: Setup): Promise<Figure[]> {
  const server = await startRealm({ model, tenants: 2, ends: tokenizer.endOfGeneration });
  let texts = 0;
  const job = (tenant: number, tokens: number) => server.job(tenant, prompt(tokenizer, promptTokens, texts++), tokens);
  const flooder = (loop: Client['loop']): Client[] =>
    Array.from({ length: connections }, () => ({ jobs: Array.from({ length: 40 }, () => job(1, 64)), loop }));
  const quiet = (count: number, pauseMs: number): Client => ({
    jobs: Array.from({ length: count }, (_, i) => ({ ...job(0, 16), pauseMs: pauseMs * (0.5 + ((i * 7) % 11) / 11) })),
  });
  const first: Record<'alone' | 'beside', number[]> = { alone: [], beside: [] };
  const shares: number[] = [];
  try {
    await load([...flooder(floodMs / 2), quiet(4, 100)]);
    for (let round = 0; round < rounds; round++) {
      first.alone.push(...(await load([quiet(quietRequests, 150)])).flat().map(firstMs));
      const capacity = rateOf(await load(flooder(floodMs)));
      // One of the quiet tenant's for 32 of the other's.
      const pauseMs = (connections * 64_000) / capacity;
      const [own, ...others] = await load([quiet(quietRequests, pauseMs), ...flooder('others')]);
      first.beside.push(...own!.map(firstMs));
      shares.push(rateOf(others) / capacity);
    }
  } finally {
    await server.stop();
  }
  expect(first.alone.length === first.beside.length, 'not as many requests beside the other as alone');
  const p99 = (values: readonly number[]) => quantile(values, 0.99);
  const p50 = (values: readonly number[]) => number(quantile(values, 0.5));
  const { alone, beside } = first;
  const more = `p99 ${number(p99(beside))} / ${number(p99(alone))} ms, p50 ${p50(beside)} / ${p50(alone)} ms, ${alone.length} requests`;
  return [
    ratioFigure(
      'quiet tenant beside a flooder: first token p99, to alone',
      [p99(beside) / p99(alone)],
      { most: 1.25 },
      more,
    ),
    ratioFigure('the flooder meanwhile: tokens/s, to its own alone', shares, { least: 0.95 }),
  ];
}

/** Tokens that arrived each second, without the time in which the first of them were prepared. */
function rateOf(seen: readonly (readonly Seen[])[]): number {
  const arrivals = seen
    .flat()
    .flatMap(({ arrivals }) => arrivals)
    .toSorted((a, b) => a - b);
  const [begin, end] = [arrivals[0]! + 1000, Math.max(...seen.map(each => each.at(-1)!.startMs))];
  return (arrivals.filter(at => at >= begin && at < end).length * 1000) / (end - begin);
}
