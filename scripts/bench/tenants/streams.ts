import { expect, type Figure, firstMs, gapsOf, number, quantile, ratioFigure, type Setup } from './figures.ts';
import type { Client, Seen } from './load.ts';
import { prompt } from './prompts.ts';
import { load, type Server, startLlama, startRealm } from './servers.ts';

const tenants = 8;
const answer = 64;

/** Eight tenants stream at once, prompts that share nothing: Realm and `llama-server -np 8` in turns, both loaded. */
export async function streams({ model, tokenizer, rounds, llama, promptTokens }: Setup): Promise<Figure[]> {
  if (!llama) return [];
  const realm = await startRealm({ model, tenants, ends: tokenizer.endOfGeneration });
  const peer = await startLlama(llama, model, tenants);
  const results: Measured[][] = [];
  try {
    for (let round = -1; round < rounds; round++) {
      const pair: Measured[] = [];
      for (const server of [realm, peer]) {
        const text = (tenant: number) => prompt(tokenizer, promptTokens, (round + 1) * tenants + tenant);
        const clients = Array.from({ length: tenants }, (_, i): Client => ({ jobs: [job(server, i, text(i))] }));
        pair.push(measured((await load(clients)).flat()));
      }
      if (round >= 0) results.push(pair);
    }
  } finally {
    await Promise.all([realm.stop(), peer.stop()]);
  }
  const compare = (what: string, key: keyof Measured, bound: { least?: number; most?: number }) => {
    const sides = [0, 1].map(side =>
      number(
        quantile(
          results.map(pair => pair[side]![key]),
          0.5,
        ),
      ),
    );
    const ratios = results.map(([ours, theirs]) => ours![key] / theirs![key]);
    return ratioFigure(`${what}, to llama-server`, ratios, bound, sides.join(' / '));
  };
  const small = /135m/i.test(model);
  return [
    compare('8 tenants streaming: tokens/s in all', 'rate', { least: small ? 1.8 : 1.5 }),
    compare('8 tenants streaming: first token p50, ms', 'p50', { most: 0.5 }),
    compare('8 tenants streaming: first token p95, ms', 'p95', { most: small ? 0.7 : 0.8 }),
    compare('8 tenants streaming: gap between tokens p95, ms', 'gap', { most: 2.5 }),
  ];
}

const job = (server: Server, tenant: number, text: string) => server.job(tenant, text, answer);

interface Measured {
  readonly rate: number;
  readonly p50: number;
  readonly p95: number;
  readonly gap: number;
}

function measured(seen: readonly Seen[]): Measured {
  const tokens = seen.reduce((sum, each) => sum + each.completionTokens, 0);
  expect(tokens === tenants * answer, `${tokens} tokens came, ${tenants * answer} were asked for`);
  const first = seen.map(firstMs);
  const took = Math.max(...seen.map(({ endMs }) => endMs)) - Math.min(...seen.map(({ startMs }) => startMs));
  return {
    rate: (tokens * 1000) / took,
    p50: quantile(first, 0.5),
    p95: quantile(first, 0.95),
    gap: quantile(seen.flatMap(gapsOf), 0.95),
  };
}
