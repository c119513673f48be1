/**
 * A server that is asked ten times as much as it can do: how much it still does, how soon it refuses the rest, and whether probes are
 * answered. Load and server are processes of their own, on one machine; the
 * model has one thread of it. `npm run bench:overload -- [--seconds 60] [--times 10]`
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { table } from '../../src/cli/output.ts';
import { writeSynthetic } from '../synthetic/model.ts';
import { overload, peak, quantile, type Seen } from './overload/load.ts';
import { startRealm } from './tenants/servers.ts';

interface Options {
  readonly seconds: number;
  readonly times: number;
  readonly maxTokens: number;
}

async function bench({ seconds, times, maxTokens }: Options): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'realm-overload-'));
  const model = join(folder, 'model.gguf');
  writeSynthetic(model, { shape: 'tiny', quant: 'Q8_0' });
  const server = await startRealm({ model, tenants: 1, ends: [], limits: { max_queued: 16 }, threads: 1 });
  try {
    const target = { url: server.url, key: server.keys[0]!, maxTokens };
    await peak(target, 24, 3_000);
    const most = await peak(target, 24, (1000 * seconds) / 4);
    const { requests, probes, goodput } = await overload(target, times * most, 1000 * seconds);
    const refusals = requests.filter(({ status }) => status === 429 || status === 503);
    const others = requests.length - refusals.length - requests.filter(({ status }) => status === 200).length;
    const ms = (seen: readonly Seen[], share: number) =>
      quantile(
        seen.map(each => each.ms),
        share,
      );
    const [refused, probed] = [ms(refusals, 0.99), ms(probes, 0.99)];
    const rows: [string, string, string, boolean][] = [
      [
        'goodput',
        `${goodput.toFixed(1)} of ${most.toFixed(1)} answers/s (${((100 * goodput) / most).toFixed(0)} %)`,
        '>= 95 %',
        goodput >= 0.95 * most,
      ],
      ['refusals, p50 and p99', `${ms(refusals, 0.5).toFixed(1)}, ${refused.toFixed(1)} ms`, '<= 50 ms', refused <= 50],
      [
        'refusals without Retry-After',
        `${refusals.filter(({ retryAfter }) => retryAfter === undefined).length} of ${refusals.length}`,
        'none',
        refusals.every(({ retryAfter }) => retryAfter !== undefined),
      ],
      ['other answers', String(others), 'none', others === 0],
      ['/health, p50 and p99', `${ms(probes, 0.5).toFixed(1)}, ${probed.toFixed(1)} ms`, '<= 20 ms', probed <= 20],
      [
        '/health not 200',
        `${probes.filter(({ status }) => status !== 200).length} of ${probes.length}`,
        'none',
        probes.every(({ status }) => status === 200),
      ],
    ];
    const cells = rows.map(([what, seen, wanted, reached]) => [what, seen, wanted, reached ? 'reached' : 'missed']);
    console.log(table([[`${times} times the peak for ${seconds} s`, 'seen', 'wanted', ''], ...cells]));
  } finally {
    await server.stop();
    await rm(folder, { recursive: true });
  }
}

await new Command('bench:overload')
  .option('--seconds <n>', 'how long', Number, 60)
  .option('--times <n>', 'how many times the peak', Number, 10)
  .option('--max-tokens <n>', 'of an answer', Number, 200)
  .action(bench)
  .parseAsync();
process.exit(0);
