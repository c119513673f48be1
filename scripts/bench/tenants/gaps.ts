import { expect, type Figure, firstMs, gapsOf, number, quantile, ratioFigure, type Setup } from './figures.ts';
import type { Client, Seen } from './load.ts';
import { prompt } from './prompts.ts';
import { load, type RealmServer, startRealm } from './servers.ts';

const longTokens = 4000;
const longPrompts = 4;
const flooders = 8;
const requestsEach = 16;
/** Of the quiet tenant's requests and the flooders'. */
const answer = 64;
/** How long the eight flood, and how often the quiet tenant asks meanwhile: less often than would be its share. */
const floodMs = 20_000;
const everyMs = 2500;
/** The same beside the long prompts, which take half a minute. */
const longEveryMs = 4000;

interface Flood {
  readonly name: string;
  /** New prompts each time: what the cache has is not computed. */
  clients(server: RealmServer): Client[];
  /** What the quiet tenant does beside it. */
  quiet(server: RealmServer): Client;
}

/** A tenant that streams now and then, beside others' long prompts and beside many short ones: how smoothly, and what that costs the others. */
export async function gaps(setup: Setup): Promise<Figure[]> {
  const { model, tokenizer, rounds, promptTokens } = setup;
  let texts = 0;
  const short = () => prompt(tokenizer, promptTokens, texts++);
  const body = Array.from({ length: 4 }, () => prompt(tokenizer, (longTokens - 20) / 4, 0)).join(' ');
  const long = () => `${texts++} ${body}`;
  const many = <T>(length: number, of: (i: number) => T): T[] => Array.from({ length }, (_, i) => of(i));
  const floods: Flood[] = [
    {
      name: `${longPrompts} prompts of ${longTokens} tokens`,
      clients: server => many(longPrompts, () => ({ jobs: [server.job(1, long(), 16)] })),
      quiet: server => ({ jobs: many(8, i => ({ ...server.job(0, short(), answer), atMs: (i + 1) * longEveryMs })) }),
    },
    {
      name: `${flooders} flooders with ${requestsEach} requests each`,
      clients: server =>
        many(flooders * requestsEach, i => ({
          jobs: many(3, () => server.job(1 + (i % flooders), short(), answer)),
          loop: floodMs,
        })),
      quiet: server => ({
        jobs: many(floodMs / everyMs - 1, i => ({ ...server.job(0, short(), answer), atMs: (i + 1) * everyMs })),
      }),
    },
  ];
  const options = { context: longTokens + 200 };
  const server = await startRealm({ model, tenants: 1 + flooders, ends: tokenizer.endOfGeneration, options });
  try {
    const alone = async () => (await load([{ jobs: many(8, () => server.job(0, short(), answer)) }])).flat();
    await alone();
    const figures: Figure[] = [];
    for (const flood of floods) figures.push(...(await beside(server, flood, rounds, alone)));
    return figures;
  } finally {
    await server.stop();
  }
}

async function beside(
  server: RealmServer,
  flood: Flood,
  rounds: number,
  alone: () => Promise<Seen[]>,
): Promise<Figure[]> {
  const own: Seen[] = [];
  const other: Seen[] = [];
  const shares: number[] = [];
  for (let round = 0; round < rounds; round++) {
    own.push(...(await alone()));
    const without = rate((await load(flood.clients(server))).flat());
    const [quiet, ...others] = await load([flood.quiet(server), ...flood.clients(server)]);
    other.push(...quiet!);
    shares.push(rate(others.flat()) / without);
  }
  expect(
    [...own, ...other].every(({ completionTokens }) => completionTokens === answer),
    'answers of other lengths',
  );
  const compare = (what: string, of: (seen: readonly Seen[]) => number[], share: number, most: number) => {
    const [without, with_] = [own, other].map(seen => of(seen));
    const figure = (quantity: number) =>
      [with_!, without!].map(values => number(quantile(values, quantity))).join(' / ');
    const ratio = quantile(with_!, share) / quantile(without!, share);
    const more = `p${100 * share} ${figure(share)} ms, p50 ${figure(0.5)} ms, ${other.length} requests`;
    return ratioFigure(`quiet tenant beside ${flood.name}: ${what} p${100 * share}, to alone`, [ratio], { most }, more);
  };
  return [
    compare('first token', seen => seen.map(firstMs), 0.99, 2),
    compare('gap between tokens', seen => seen.flatMap(gapsOf), 0.95, 3),
    ratioFigure('the others meanwhile: tokens/s, to without it', shares, { least: 0.9 }),
  ];
}

/** Tokens of prompts and answers per second. */
function rate(seen: readonly Seen[]): number {
  const tokens = seen.reduce((sum, { promptTokens, completionTokens }) => sum + promptTokens + completionTokens, 0);
  return (tokens * 1000) / (Math.max(...seen.map(({ endMs }) => endMs)) - Math.min(...seen.map(each => each.startMs)));
}
