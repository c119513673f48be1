import { expect, type Figure, firstMs, number, quantile, ratioFigure, type Setup } from './figures.ts';
import { prompt } from './prompts.ts';
import { load, startRealm } from './servers.ts';

const prefixTokens = 1000;

/** A second request with the same long prefix: of the same tenant, and of another. */
export async function prefix({ model, tokenizer, rounds }: Setup): Promise<Figure[]> {
  const server = await startRealm({ model, tenants: 2, ends: tokenizer.endOfGeneration });
  const results: { first: number; same: number; other: number }[] = [];
  try {
    for (let round = -1; round < rounds; round++) {
      const text = prompt(tokenizer, prefixTokens, round + 1);
      const jobs = [0, 0, 1].map((tenant, i) => server.job(tenant, `${text} and now ${'abc'[i]}`, 8));
      const [[first, same, other] = []] = await load([{ jobs }]);
      expect(same!.cachedTokens >= prefixTokens - 32, `${same!.cachedTokens} tokens were cached`);
      expect(first!.cachedTokens + other!.cachedTokens === 0, 'a prefix that nobody had was cached');
      if (round >= 0) results.push({ first: firstMs(first!), same: firstMs(same!), other: firstMs(other!) });
    }
  } finally {
    await server.stop();
  }
  const median = (key: 'first' | 'same' | 'other') =>
    `${number(
      quantile(
        results.map(each => each[key]),
        0.5,
      ),
    )} ms`;
  const ratio = (key: 'same' | 'other') => results.map(each => each[key] / each.first);
  return [
    ratioFigure(
      'same 1,000-token prefix again: first token',
      ratio('same'),
      { most: 0.1 },
      `${median('same')} / ${median('first')}`,
    ),
    ratioFigure('the same prefix of another tenant: no hit', ratio('other'), { least: 0.9 }, median('other')),
  ];
}
