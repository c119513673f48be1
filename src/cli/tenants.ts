import type { Command } from 'commander';
import { RealmError } from '../errors.ts';
import type { TenantAnswer } from '../tenancy/operator.ts';
import type { OpenOperator } from './local-operator.ts';
import { operate, type PlaceOptions, withExample, withPlace } from './operator.ts';
import { number, wholeNumber } from './options.ts';
import { print, printJson, table } from './output.ts';
import { validated } from './validated.ts';

interface TenantOptions extends PlaceOptions {
  readonly weight?: number;
  readonly maxQueued?: number;
  readonly queueMs?: number;
  readonly deadlineMs?: number;
  readonly adapter?: string;
  readonly program?: string;
  readonly budget?: readonly string[];
  readonly requestsPerMinute?: number;
  readonly tokensPerMinute?: number;
  readonly concurrent?: number;
}

export function addTenants(realm: Command): void {
  const tenants = realm
    .command('tenants')
    .description('Tenants of a server, those of realm.yaml and those created at run time.')
    .addHelpText(
      'after',
      '\nExamples:\n  $ realm tenants list --config realm.yaml\n  $ realm tenants create acme --budget tokens:1000000:month --url http://127.0.0.1:8080',
    );
  const command = (name: string, description: string, example: string) =>
    withExample(withPlace(tenants.command(name).description(description)), `tenants ${example} --config realm.yaml`);
  command('list', 'List tenants.', 'list').action(listTenants);
  withFields(command('create', 'Create a tenant.', 'create acme --weight 2'))
    .argument('<id>')
    .action(create);
  withFields(command('update', 'Change a tenant.', 'update acme --concurrent 8'))
    .argument('<id>')
    .action(update);
  command('disable', "Refuse a tenant's keys until it is enabled.", 'disable acme')
    .argument('<id>')
    .option('--undo', 'enable it again')
    .action((id: string, { undo = false, ...options }) => change(id, { disabled: !undo }, options));
  command('delete', 'Delete a tenant and revoke its keys.', 'delete acme --cancel')
    .argument('<id>')
    .option('--cancel', 'end its requests that are being answered')
    .action(remove);
}

function withFields(command: Command): Command {
  const collect = (value: string, before: string[] = []) => [...before, value];
  const count = wholeNumber(1, 1e12);
  return command
    .option('--weight <n>', 'its share of a model', number({ min: 0.01, max: 100 }))
    .option('--max-queued <n>', 'requests that may wait, for each model', count)
    .option('--queue-ms <n>', 'how long a request may wait', count)
    .option('--deadline-ms <n>', 'how long a request may take', count)
    .option('--adapter <name>', 'of requests that name no other')
    .option('--program <name>', 'an uploaded program, or one of its versions as name@3')
    .option('--budget <unit:limit:period[:model]>', 'tokens, requests or money; day, month or total', collect)
    .option('--requests-per-minute <n>', 'rate of requests', count)
    .option('--tokens-per-minute <n>', 'rate of tokens', count)
    .option('--concurrent <n>', 'requests at once', count);
}

/** What was said, in the API's names. */
function fieldsOf(options: TenantOptions): object {
  const rate = {
    requests_per_minute: options.requestsPerMinute,
    tokens_per_minute: options.tokensPerMinute,
    concurrent: options.concurrent,
  };
  return {
    weight: options.weight,
    max_queued: options.maxQueued,
    queue_ms: options.queueMs,
    deadline_ms: options.deadlineMs,
    adapter: options.adapter,
    program: options.program,
    budgets: options.budget?.map(budgetOf),
    rate: Object.values(rate).some(value => value !== undefined) ? rate : undefined,
  };
}

function budgetOf(text: string): object {
  const [, unit, limit, period, model] = /^([^:]+):([^:]+):([^:]+)(?::(.+))?$/.exec(text) ?? [];
  if (unit === undefined)
    throw new RealmError('usage', `--budget ${text}: must be unit:limit:period, as tokens:1000000:month.`);
  return { unit, limit: Number(limit), period, ...(model !== undefined && { model }) };
}

function listTenants(options: PlaceOptions): Promise<void> {
  return operate(options, async operator => {
    const tenants = await operator.tenants();
    if (options.json) return printJson(tenants);
    const rows = tenants.map(({ id, source, disabled, weight }) => [id, source, disabled ? 'no' : 'yes', `${weight}`]);
    print(table([['TENANT', 'FROM', 'ENABLED', 'WEIGHT'], ...rows], [3]));
  });
}

async function create(id: string, options: TenantOptions): Promise<void> {
  const { createTenantSchema } = await import('../tenancy/operator-schema.ts');
  const body = await validated(createTenantSchema, { id, ...fieldsOf(options) });
  await show(options, operator => operator.createTenant(body));
}

async function update(id: string, options: TenantOptions): Promise<void> {
  await change(id, fieldsOf(options), options);
}

async function change(id: string, fields: object, options: PlaceOptions): Promise<void> {
  const { updateTenantSchema } = await import('../tenancy/operator-schema.ts');
  const body = await validated(updateTenantSchema, fields);
  await show(options, operator => operator.updateTenant(id, body));
}

function show(options: PlaceOptions, act: (operator: OpenOperator) => Promise<TenantAnswer>): Promise<void> {
  return operate(options, async operator => {
    const tenant = await act(operator);
    if (options.json) printJson(tenant);
    else print(`${tenant.id}${tenant.disabled ? ' (disabled)' : ''}`);
  });
}

function remove(id: string, { cancel = false, ...options }: PlaceOptions & { cancel?: boolean }): Promise<void> {
  return operate(options, async operator => {
    await operator.deleteTenant(id, cancel);
    if (options.json) printJson({ id, deleted: true });
    else print(`${id} is deleted, and its keys are revoked.`);
  });
}
