/**
 * Realm beside llama.cpp on this machine: `npm run bench:compare -- [MODEL...]`. The engines take turns, each in a process
 * of its own, round after round; printed are medians, and ratios of each round's pair. LLAMA_CPP_BIN names the folder of a
 * llama.cpp that was built for this very machine; without it node-llama-cpp is the peer.
 */
import { availableParallelism, cpus } from 'node:os';
import { basename } from 'node:path';
import { Command } from 'commander';
import { summary } from '../../src/bench/bench.ts';
import { resolveModel } from '../../src/catalog/resolve.ts';
import { table } from '../../src/cli/output.ts';
import { llamaBench, nodeLlama, type Peer, type Rates, realm, type Work } from './peers.ts';
import { targetOf } from './targets.ts';

interface Options {
  readonly prompt: number;
  readonly gen: number;
  readonly batch: number;
  readonly depth: string;
  readonly threads: number;
  readonly rounds: number;
  readonly variant?: string;
  readonly node: boolean;
  readonly json?: boolean;
}

const program = new Command('bench:compare')
  .argument('[models...]', 'GGUF files or catalog names (default: smollm2-135m)')
  .option('--prompt <n>', 'tokens of the prompt', Number, 512)
  .option('--gen <n>', 'tokens to generate', Number, 64)
  .option('--batch <n>', 'sequences that generate at once; 1: none', Number, 8)
  .option('--depth <n,...>', 'tokens in the cache before generation', '0')
  .option('--threads <n>', 'threads of each engine', Number, availableParallelism())
  .option('--rounds <n>', 'rounds', Number, 5)
  .option('--variant <name>', "Realm's kernel variant")
  .option('--no-node', 'leave node-llama-cpp out')
  .option('--json', 'print JSON')
  .action(compare);

async function compare(models: readonly string[], options: Options): Promise<void> {
  const work: Work = { ...options, depths: options.depth.split(',').map(Number) };
  const peers: Peer[] = [];
  if (process.env.LLAMA_CPP_BIN) peers.push(llamaBench(process.env.LLAMA_CPP_BIN));
  if (options.node) peers.push(nodeLlama);
  const engines = [realm(options.variant), ...peers];
  const machine = `${cpus()[0]?.model}, ${options.threads} threads`;
  if (!options.json) console.log(machine);
  const reports = [];
  for (const name of models.length > 0 ? models : ['smollm2-135m']) {
    const { path } = await resolveModel(name);
    const rounds: Rates[][] = [];
    for (let round = 0; round < options.rounds; round++) {
      const rates: Rates[] = [];
      for (const engine of engines) rates.push(await engine.measure(path, work));
      rounds.push(rates);
      process.stderr.write(`${basename(path)}: round ${round + 1} of ${options.rounds}\n`);
    }
    const report = reportOf(basename(path), engines, rounds, options.variant);
    reports.push(report);
    if (!options.json) print(report);
  }
  if (options.json) console.log(JSON.stringify({ machine, models: reports }, undefined, 2));
}

type Report = ReturnType<typeof reportOf>;

function reportOf(model: string, engines: readonly Peer[], rounds: readonly Rates[][], variant: string | undefined) {
  const tests = Object.keys(rounds[0]![0]!).map(test => {
    const rates = engines.map((_, i) => rounds.map(round => round[i]![test]).filter(rate => rate !== undefined));
    const measured = engines.map(({ name }, i) => {
      if (rates[i]!.length === 0) return { name };
      const ratio = summary(rates[0]!.map((own, round) => own / rates[i]![round]!));
      return { name, tokensPerSecond: summary(rates[i]!), ratio };
    });
    return { test, engines: measured, target: targetOf(model, test, variant) };
  });
  return { model, tests };
}

function print({ model, tests }: Report): void {
  const number = (value: number | undefined) => (value === undefined ? '' : value.toFixed(value < 10 ? 2 : 1));
  const rows = tests.map(({ test, engines, target }) => {
    const cells = engines.map(({ tokensPerSecond: t }) =>
      t ? `${number(t.median)} (${number(t.min)}..${number(t.max)})` : '-',
    );
    const ratios = engines.slice(1).map(({ ratio }) => (ratio ? `${ratio.median.toFixed(2)}x` : '-'));
    const ratio = engines[1]?.name === 'llama.cpp' ? engines[1].ratio?.median : undefined;
    const reached =
      target === undefined ? '' : `${target}x ${ratio === undefined ? '' : ratio >= target ? 'reached' : 'missed'}`;
    return [test, ...cells, ...ratios, reached];
  });
  const names = tests[0]?.engines.map(({ name }) => name) ?? [];
  const heads = ['test', ...names, ...names.slice(1).map(name => `to ${name}`), 'target'];
  console.log(`\n${model}: tokens a second, median (least..most)\n${table([heads, ...rows])}`);
}

await program.parseAsync();
