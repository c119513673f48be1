import type { Command } from 'commander';
import { RealmError } from '../errors.ts';
import { print, printJson } from './output.ts';

export function addKeys(realm: Command): void {
  realm
    .command('keys')
    .description('API keys of tenants.')
    .command('create')
    .description('Make a key. It is shown this once; realm.yaml holds only its hash.')
    .requiredOption('--tenant <id>', 'whose key it is')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  $ realm keys create --tenant acme')
    .action(create);
}

async function create({ tenant, json }: { tenant: string; json?: boolean }): Promise<void> {
  const { createKey } = await import('../tenancy/keys.ts');
  const { name } = await import('../tenancy/schema.ts');
  const checked = name.safeParse(tenant);
  if (!checked.success) {
    throw new RealmError('usage', `--tenant ${checked.error.issues[0]!.message}.`, { param: 'tenant' });
  }
  const { key, hash, line } = createKey(tenant);
  if (json) return printJson({ tenant, key, hash, line });
  print(`Key, shown only now:\n  ${key}\n`);
  print(`For realm.yaml:\ntenants:\n  - id: ${tenant}\n    keys:\n      ${line}`);
}
