/**
 * What a long life does to a server's memory: requests that are refused, left and answered, each load after the other on one
 * server, resident memory by kind on the way. `npm run bench:soak -- [MODEL] [--loads refused,aborts] [--requests 1000000]`
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { resolveModel } from '../../src/catalog/resolve.ts';
import { table } from '../../src/cli/output.ts';
import { drive, loads } from './soak/loads.ts';
import { startRealm } from './tenants/servers.ts';

interface Options {
  readonly loads: string;
  readonly requests: number;
  readonly clients: number;
  readonly context: number;
}

const kinds = ['weights', 'kv_cache', 'work', 'heap', 'external', 'code', 'other', 'resident'];

/** When to look: 1, 2 and 5 times each power of ten, and at the end. */
function marks(requests: number): number[] {
  const all = [1, 2, 5].flatMap(times => [100, 1000, 10_000, 100_000, 1_000_000].map(power => times * power));
  return [...all.filter(mark => mark < requests).sort((a, b) => a - b), requests];
}

async function soak(name: string | undefined, { loads: chosen, requests, clients, context }: Options): Promise<void> {
  const names = chosen.split(',');
  const unknown = names.filter(each => !(each in loads));
  if (unknown.length > 0) throw new Error(`no such loads: ${unknown}; there are ${Object.keys(loads)}`);
  const { path } = await resolveModel(name);
  const server = await startRealm({ model: path, tenants: 5, ends: [], options: { context } });
  const rows = [['load', 'requests', ...kinds]];
  const look = async (load: string, done: number) => {
    for (let tries = 0; (await server.metric('realm_requests_open')) > 0 && tries < 50; tries++) await sleep(100);
    await sleep(1000);
    const bytes = await Promise.all(kinds.map(kind => server.metric('realm_memory_bytes', `kind="${kind}"`)));
    rows.push([load, String(done), ...bytes.map(each => `${Math.round(each / 1e6)} MB`)]);
    console.error(rows.at(-1)!.join('  '));
  };
  try {
    await look('start', 0);
    for (const each of names) {
      const load = loads[each];
      if (!load) throw new Error(`No such load: ${each}`);
      let done = 0;
      for (const mark of marks(requests)) {
        await drive(load, server, done, mark, clients);
        done = mark;
        await look(each, done);
      }
    }
  } finally {
    await server.stop();
  }
  console.log(table(rows));
}

await new Command('bench:soak')
  .argument('[model]', 'a GGUF file or catalog name (default: smollm2-135m)')
  .option('--loads <names>', 'which loads', Object.keys(loads).join(','))
  .option('--requests <n>', 'of each load', Number, 10_000)
  .option('--clients <n>', 'at once', Number, 16)
  .option('--context <tokens>', "of the model, and a quarter of its cache's", Number, 1024)
  .action(soak)
  .parseAsync();
process.exit(0);
