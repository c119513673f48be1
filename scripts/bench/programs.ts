/**
 * What tenants' programs cost: a whole server, beside the same without them. Whatever is compared takes turns.
 * `npm run bench:programs -- [MODEL] [--rows plain,loop] [--rounds 5]`
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Command } from 'commander';
import { compileV2 } from '../../guest/build.ts';
import { summary } from '../../src/bench/bench.ts';
import { resolveModel } from '../../src/catalog/resolve.ts';
import { table } from '../../src/cli/output.ts';
import { expect, type Figure, factFigure, number, ratioFigure } from './tenants/figures.ts';
import type { Client, Job, Seen } from './tenants/load.ts';
import { load, type RealmServer, startRealm } from './tenants/servers.ts';

/** Tenants: the first has no program. */
const guests = ['pass-on', 'token-by-token', 'stalling', 'endless'] as const;
type Who = 'plain' | (typeof guests)[number];

interface Options {
  readonly rows: string;
  readonly rounds: number;
  readonly tokens: number;
}

interface Setup extends Options {
  readonly server: RealmServer;
}

let sent = 0;

/** A completion of exactly so many tokens; no two have the same beginning. */
function job({ server }: Setup, who: Who, tokens: number): Job {
  const tenant = who === 'plain' ? 0 : 1 + guests.indexOf(who);
  const { body, ...rest } = server.job(tenant, `${++sent} times the sea was blue, and the fisherman said:`, tokens);
  return { ...rest, body: { ...body, ignore_eos: true } };
}

/** Tokens a second of all of them together, from the first that begins to the last that ends. */
function rateOf(seen: readonly Seen[]): number {
  const tokens = seen.reduce((sum, { completionTokens }) => sum + completionTokens, 0);
  const start = Math.min(...seen.map(({ startMs }) => startMs));
  const end = Math.max(...seen.map(({ endMs }) => endMs));
  return (tokens * 1000) / (end - start);
}

/** So many that ask at once, beside one that goes on until they have ended. */
async function crowd(setup: Setup, who: Who, count: number, tokens: number, beside?: Who): Promise<number> {
  const clients: Client[] = Array.from({ length: count }, () => ({ jobs: [job(setup, who, tokens)] }));
  const other = beside && { ...job(setup, beside, 1000), abortMs: 3000 };
  const seen = await load([...clients, ...(other ? [{ jobs: [other], loop: 'others' as const }] : [])]);
  const own = seen.slice(0, count).flat();
  expect(
    own.every(({ completionTokens }) => completionTokens === tokens),
    'answers are too short',
  );
  return rateOf(own);
}

/** Rates of each way, in rounds. */
async function rounds(setup: Setup, ways: readonly (() => Promise<number>)[]): Promise<number[][]> {
  const rates = ways.map((): number[] => []);
  for (const way of ways) await way();
  // Who is first in one round is last in the next.
  for (let round = 0; round < setup.rounds; round++) {
    const order = ways.map((_, i) => i);
    for (const i of round % 2 ? order.reverse() : order) rates[i]!.push(await ways[i]!());
  }
  return rates;
}

const ratios = (some: readonly number[], others: readonly number[]): number[] =>
  some.map((rate, i) => rate / others[i]!);

const perSecond = (rates: readonly number[]): string => `${number(summary(rates).median)} tokens/s`;

async function plain(setup: Setup): Promise<Figure[]> {
  const alone = (who: Who) => () => crowd(setup, who, 1, setup.tokens);
  const [plain, passed] = (await rounds(setup, [alone('plain'), alone('pass-on')])) as [number[], number[]];
  const work = `a program's submit of ${setup.tokens} tokens beside a plain request`;
  return [ratioFigure(work, ratios(passed, plain), { least: 0.99 }, `plain: ${perSecond(plain)}`)];
}

async function loop(setup: Setup): Promise<Figure[]> {
  const crowded = (beside?: Who) => () => crowd(setup, 'pass-on', 63, Math.min(32, setup.tokens), beside);
  const [without, beside] = (await rounds(setup, [crowded(), crowded('endless')])) as [number[], number[]];
  const work = '63 guests beside one that loops for ever, two workers';
  return [ratioFigure(work, ratios(beside, without), { least: 0.95 }, `without it: ${perSecond(without)}`)];
}

async function step(setup: Setup): Promise<Figure[]> {
  const alone = (who: Who) => () => crowd(setup, who, 1, setup.tokens);
  const [whole, single] = (await rounds(setup, [alone('pass-on'), alone('token-by-token')])) as [number[], number[]];
  const added = summary(single.map((rate, i) => 1000 / rate - 1000 / whole[i]!));
  const seen = `${number(added.median)} ms (${number(added.min)}..${number(added.max)}); in one submit: ${perSecond(whole)}`;
  return [factFigure('added to each token by a submit for each', seen, '0.3 ms or less', added.median <= 0.3)];
}

async function stall(setup: Setup): Promise<Figure[]> {
  const crowded = (beside?: Who) => () => crowd(setup, 'pass-on', 7, 128, beside);
  const [without, beside] = (await rounds(setup, [crowded(), crowded('stalling')])) as [number[], number[]];
  const work = 'seven guests beside one that computes 100 ms before each token';
  return [ratioFigure(work, ratios(beside, without), { least: 0.98 }, `without it: ${perSecond(without)}`)];
}

const rows: Readonly<Record<string, (setup: Setup) => Promise<Figure[]>>> = { plain, loop, step, stall };

async function withServer(model: string, use: (server: RealmServer) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'realm-bench-programs-'));
  const programs = guests.map(name => join(folder, `${name}.wasm`));
  for (const [i, name] of guests.entries())
    await writeFile(programs[i]!, await compileV2(`../scripts/bench/programs/guests/${name}.ts`));
  const limits = { deadline_ms: 600_000, program_limits: { fuel: 1e12, runs: 64 } };
  // Guesses pay where many tokens are wanted at once: what is measured here is what a call costs.
  const options = { speculation: 'off' };
  const server = await startRealm({ model, tenants: 5, ends: [], options, limits, programs: [undefined, ...programs] });
  try {
    await use(server);
  } finally {
    await server.stop();
    await rm(folder, { recursive: true });
  }
}

async function bench(name: string | undefined, options: Options): Promise<void> {
  const names = options.rows.split(',');
  const unknown = names.filter(each => !(each in rows));
  if (unknown.length > 0) throw new Error(`no such rows: ${unknown}; there are ${Object.keys(rows)}`);
  const { path } = await resolveModel(name);
  const figures: Figure[] = [];
  await withServer(path, async server => {
    for (const each of names) {
      const started = performance.now();
      figures.push(...(await rows[each]!({ ...options, server })));
      console.error(`${each}: ${Math.round((performance.now() - started) / 1000)} s`);
    }
  });
  console.log(`${basename(path)}; ${cpus()[0]?.model}, ${availableParallelism()} processors`);
  const verdict = (reached: boolean | undefined) => (reached ? 'reached' : 'missed');
  const cells = figures.map(({ work, seen, wanted, reached }) => [work, seen, wanted, verdict(reached)]);
  console.log(table([['what', 'seen', 'wanted', ''], ...cells]));
}

await new Command('bench:programs')
  .argument('[model]', 'a GGUF file or catalog name (default: smollm2-135m)')
  .option('--rows <names>', 'which figures', Object.keys(rows).join(','))
  .option('--rounds <n>', 'rounds', Number, 5)
  .option('--tokens <n>', 'of an answer', Number, 256)
  .action(bench)
  .parseAsync();
process.exit(0);
