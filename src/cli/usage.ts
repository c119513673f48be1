import type { Command } from 'commander';
import { operate, type PlaceOptions, withExample, withPlace } from './operator.ts';
import { print, printJson, table } from './output.ts';

interface UsageOptions extends PlaceOptions {
  readonly by?: string;
  readonly calls?: boolean;
  readonly csv?: boolean;
  readonly tenant?: string;
  readonly key?: string;
  readonly model?: string;
  readonly from?: string;
  readonly to?: string;
  readonly limit?: string;
  readonly after?: string;
}

export function addUsage(realm: Command): void {
  const command = realm.command('usage').description('What tenants, keys and models have used: sums, or each call.');
  withExample(withPlace(command), 'usage --by tenant,model --from 2026-11-01 --config realm.yaml')
    .option('--by <list>', 'tenant, key, model, day: what sums are of (default: tenant)')
    .option('--calls', 'each call, the newest first, in place of sums')
    .option('--tenant <id>', 'of this tenant only')
    .option('--key <id>', 'of the key with this public id only')
    .option('--model <name>', 'of this model, or adapter, only')
    .option('--from <time>', 'a date or a time: what began then or later')
    .option('--to <time>', 'a date or a time: what began before')
    .option('--limit <n>', 'most calls (default: 1000)')
    .option('--after <next>', 'calls behind this place, as the page before said')
    .option('--csv', 'print CSV')
    .action(show);
}

function show({ by, calls, csv, config, store, url, json, ...query }: UsageOptions): Promise<void> {
  const asked = { ...query, ...(by !== undefined && { group_by: by }), ...(calls && { detail: 'true' }) };
  return operate({ config, store, url } as PlaceOptions, async operator => {
    const { rows, next } = await operator.usage(asked);
    if (json) return printJson({ rows, ...(next !== undefined && { next }) });
    if (csv) {
      const { toCsv } = await import('../metering/usage-query.ts');
      process.stdout.write(toCsv(rows));
    } else print(rows.length === 0 ? 'Nothing was used.' : asTable(rows));
    if (next !== undefined) process.stderr.write(`There is more: --after ${next}\n`);
  });
}

function asTable(rows: readonly object[]): string {
  const names = Object.keys(rows[0]!);
  const cells = rows.map(row => Object.values(row).map(value => String(value ?? '')));
  const numbers = Object.values(rows[0]!).flatMap((value, i) => (typeof value === 'number' ? [i] : []));
  return table([names.map(name => name.toUpperCase()), ...cells], numbers);
}
