/**
 * One engine, many tenants: every figure that Realm means to reach, measured on this machine. Servers and load are processes of
 * their own; whatever is compared takes turns. `LLAMA_CPP_BIN=… npm run bench:tenants -- [MODEL] [--rows streams,flood] [--rounds 3]`
 */
import { availableParallelism, cpus } from 'node:os';
import { basename } from 'node:path';
import { Command } from 'commander';
import { resolveModel } from '../../src/catalog/resolve.ts';
import { table } from '../../src/cli/output.ts';
import { aborts } from './tenants/aborts.ts';
import { alone } from './tenants/alone.ts';
import type { Figure, Setup } from './tenants/figures.ts';
import { flood } from './tenants/flood.ts';
import { gaps } from './tenants/gaps.ts';
import { lookup } from './tenants/lookup.ts';
import { memory } from './tenants/memory.ts';
import { prefix } from './tenants/prefix.ts';
import { queue } from './tenants/queue.ts';
import { streams } from './tenants/streams.ts';
import { readTokenizer } from './tokenizer.ts';

const rows: Record<string, (setup: Setup) => Promise<Figure[]>> = {
  streams,
  alone,
  memory,
  flood,
  gaps,
  prefix,
  aborts,
  queue,
  lookup,
};

interface Options {
  readonly rows: string;
  readonly rounds: number;
  readonly promptTokens: number;
}

async function bench(name: string | undefined, { rows: chosen, ...options }: Options): Promise<void> {
  const { path } = await resolveModel(name);
  const setup: Setup = {
    ...options,
    model: path,
    tokenizer: await readTokenizer(path),
    llama: process.env.LLAMA_CPP_BIN,
  };
  const names = chosen.split(',');
  const unknown = names.filter(each => !(each in rows));
  if (unknown.length > 0) throw new Error(`no such rows: ${unknown}; there are ${Object.keys(rows)}`);
  if (names.includes('streams') && !setup.llama)
    console.error('Without llama-server in LLAMA_CPP_BIN the eight tenants are left out.');
  const figures: Figure[] = [];
  for (const each of names) {
    const started = performance.now();
    figures.push(...(await rows[each]!(setup)));
    console.error(`${each}: ${Math.round((performance.now() - started) / 1000)} s`);
  }
  console.log(`${basename(path)}; ${cpus()[0]?.model}, ${availableParallelism()} processors`);
  const verdict = (reached: boolean | undefined) => (reached ? 'reached' : 'missed');
  const cells = figures.map(({ work, seen, wanted, reached }) => [work, seen, wanted, verdict(reached)]);
  console.log(table([['work', 'median (least..most)', 'wanted', ''], ...cells]));
}

await new Command('bench:tenants')
  .argument('[model]', 'a GGUF file or catalog name (default: smollm2-135m)')
  .option('--rows <names>', 'which figures', Object.keys(rows).join(','))
  .option('--rounds <n>', 'rounds', Number, 5)
  .option('--prompt-tokens <n>', 'tokens of a prompt', Number, 120)
  .action(bench)
  .parseAsync();
process.exit(0);
