import type { Command } from 'commander';
import { RealmError } from '../errors.ts';
import { isPlaced, list, operate, type PlaceOptions, withExample, withPlace } from './operator.ts';
import { wholeNumber } from './options.ts';
import { print, printJson, table } from './output.ts';
import { validated } from './validated.ts';

interface KeyOptions extends PlaceOptions {
  readonly tenant: string;
}

interface CreateOptions extends KeyOptions {
  readonly name?: string;
  readonly scopes?: readonly string[];
  readonly models?: readonly string[];
  readonly adapters?: readonly string[];
  readonly addresses?: readonly string[];
  readonly expires?: string;
}

export function addKeys(realm: Command): void {
  const keys = realm
    .command('keys')
    .description('API keys of tenants.')
    .addHelpText(
      'after',
      '\nExamples:\n  $ realm keys create --tenant acme\n  $ realm keys create --tenant acme --expires 30d --store realm.db\n  $ realm keys revoke key_abcdefghijkl --tenant acme --url http://127.0.0.1:8080',
    );
  const command = (name: string, description: string, example: string) => {
    const made = keys.command(name).description(description).requiredOption('--tenant <id>', 'whose key it is');
    return withExample(withPlace(made), `keys ${example}`);
  };
  const made = 'Make a key. It is shown this once. Without --config, --store or --url: a line for realm.yaml.';
  command('create', made, 'create --tenant acme --expires 30d --config realm.yaml')
    .option('--name <text>', 'what people call it')
    .option('--scopes <list>', 'inference, read, admin (default: inference)', list)
    .option('--models <list>', 'models that it may use', list)
    .option('--adapters <list>', 'adapters that it may use', list)
    .option('--addresses <list>', 'from where it may be used: addresses, or ranges as 10.0.0.0/8', list)
    .option('--expires <when>', 'a time (2027-01-31T00:00:00Z), or in how many days or hours (30d, 12h)')
    .action(create);
  const listed = "List a tenant's keys, without what is secret.";
  command('list', listed, 'list --tenant acme --config realm.yaml').action(listKeys);
  const rotated = 'Make a key with the same rights; the old one ends.';
  command('rotate', rotated, 'rotate key_abcdefghijkl --tenant acme --overlap 3600 --config realm.yaml')
    .argument('<key>', 'its public id')
    .option('--overlap <seconds>', 'how long the old one works too (default: not at all)', wholeNumber(0, 3.1e9))
    .action(rotate);
  command('revoke', 'Revoke a key.', 'revoke key_abcdefghijkl --tenant acme --config realm.yaml')
    .argument('<key>', 'its public id')
    .option('--cancel', 'end its requests that are being answered')
    .action(revoke);
}

async function create(options: CreateOptions): Promise<void> {
  if (!isPlaced(options)) return createLine(options);
  const { createKeySchema } = await import('../tenancy/operator-schema.ts');
  const { name, scopes, models, adapters, addresses, expires } = options;
  const expires_at = expires === undefined ? undefined : timeOf(expires);
  const body = await validated(createKeySchema, { name, scopes, models, adapters, addresses, expires_at });
  await operate(options, async operator => show(options, await operator.createKey(options.tenant, body)));
}

/** `30d` from now, or a time as it is written. */
function timeOf(text: string): string {
  const [, count, unit] = /^(\d{1,6})([dh])$/.exec(text) ?? [];
  if (count === undefined) return text;
  return new Date(Date.now() + Number(count) * (unit === 'd' ? 86_400_000 : 3_600_000)).toISOString();
}

/** For whoever keeps keys in `realm.yaml`. */
async function createLine({ tenant, json, ...options }: CreateOptions): Promise<void> {
  const said = Object.keys(options)[0];
  if (said !== undefined)
    throw new RealmError('usage', `--${said} needs a store: say --config, --store or --url.`, { param: said });
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

function show({ json }: PlaceOptions, made: { readonly key: string; readonly id: string }): void {
  if (json) printJson(made);
  else print(`Key ${made.id}, shown only now:\n  ${made.key}`);
}

function listKeys({ tenant, ...options }: KeyOptions): Promise<void> {
  return operate(options, async operator => {
    const keys = await operator.keys(tenant);
    if (options.json) return printJson(keys);
    const rows = keys.map(({ id, name, scopes, expires_at, revoked_at, last_used_at }) => {
      const ends = revoked_at === null ? (expires_at ?? '') : `revoked ${revoked_at}`;
      return [id, name ?? '', scopes.join(','), ends, last_used_at ?? ''];
    });
    print(table([['KEY', 'NAME', 'SCOPES', 'ENDS', 'LAST USED'], ...rows]));
  });
}

function rotate(key: string, { tenant, overlap = 0, ...options }: KeyOptions & { overlap?: number }): Promise<void> {
  return operate(options, async operator => show(options, await operator.rotateKey(tenant, key, overlap)));
}

function revoke(key: string, { tenant, cancel = false, ...options }: KeyOptions & { cancel?: boolean }): Promise<void> {
  return operate(options, async operator => {
    const revoked = await operator.revokeKey(tenant, key, cancel);
    if (options.json) printJson(revoked);
    else print(`${key} is revoked.`);
  });
}
