import { expect, type Figure, firstMs, number, quantile, ratioFigure, type Setup } from './figures.ts';
import type { Client } from './load.ts';
import { prompt } from './prompts.ts';
import { load, startRealm } from './servers.ts';

const connections = 32;
const answer = 64;
const windowMs = 20_000;

/**
 * A quiet tenant beside one that keeps 32 requests in flight and gets some 32 answers for each of the quiet one's. The flood goes
 * on all the time; in every other window of it the quiet tenant is there, and what the flooder gets then is compared with what it
 * gets in the windows before and after.
 */
export async function flood({ model, tokenizer, rounds, promptTokens }: Setup): Promise<Figure[]> {
  const server = await startRealm({ model, tenants: 2, ends: tokenizer.endOfGeneration });
  let texts = 0;
  const job = (tenant: number, tokens: number) => server.job(tenant, prompt(tokenizer, promptTokens, texts++), tokens);
  const quiet = (times: readonly number[]): Client => ({ jobs: times.map(atMs => ({ ...job(0, 16), atMs })) });
  const flooder = (loop: number): Client[] =>
    Array.from({ length: connections }, () => ({ jobs: Array.from({ length: 60 }, () => job(1, answer)), loop }));
  try {
    const warm = await load(flooder(windowMs));
    const times = timesOf(rounds, windowMs / (warm.flat().length / connections));
    const [alone] = await load([quiet(times.map((_, i) => 250 * (i + 1)))]);
    const end = (2 * rounds + 2) * windowMs;
    const [beside, ...others] = await load([quiet(times), ...flooder(end)]);
    const arrivals = others.flat().flatMap(seen => seen.arrivals.map(at => at - others[0]![0]!.startMs));
    const ratios = Array.from({ length: rounds }, (_, round) => {
      const window = (number: number) => arrivals.filter(at => windowOf(at) === number).length;
      return window(2 * round + 2) / ((window(2 * round + 1) + window(2 * round + 3)) / 2);
    });
    expect(alone!.length === beside!.length, 'not as many requests beside the other as alone');
    const [own, other] = [alone!, beside!].map(seen => seen.map(firstMs));
    const figure = (share: number) => [other!, own!].map(values => number(quantile(values, share))).join(' / ');
    const more = `p99 ${figure(0.99)} ms, p50 ${figure(0.5)} ms, ${own!.length} requests`;
    const ratio = quantile(other!, 0.99) / quantile(own!, 0.99);
    return [
      ratioFigure('quiet tenant beside a flooder: first token p99, to alone', [ratio], { most: 1.25 }, more),
      ratioFigure('the flooder meanwhile: tokens/s, to without the other', ratios, { least: 0.95 }),
    ];
  } finally {
    await server.stop();
  }
}

/** The window of a moment; the first is for warming up, and in the even ones that follow the quiet tenant is there. */
const windowOf = (ms: number): number => Math.floor(ms / windowMs);

/** When the quiet tenant asks: once in the time of `connections` answers, never at the same moment of it. */
function timesOf(rounds: number, answerMs: number): number[] {
  const pause = Math.min(windowMs / 2, answerMs);
  const perWindow = Math.floor(windowMs / pause);
  return Array.from({ length: rounds * perWindow }, (_, i) => {
    const round = Math.floor(i / perWindow);
    return (2 * round + 2) * windowMs + pause * ((i % perWindow) + 0.1 + (0.7 * ((i * 7) % 11)) / 11);
  });
}
