import type { Command } from 'commander';
import type { ModelStatus } from '../server/model-status.ts';
import { formatBytes, print, printJson, table } from './output.ts';

interface ServedOptions {
  readonly url: string;
  readonly json?: boolean;
}

/** What is done to the models of a server that runs. */
export function addServedModels(models: Command): void {
  const command = (name: string, description: string, example: string) =>
    models
      .command(name)
      .description(description)
      .requiredOption('--url <url>', 'a server that runs, with an admin key in REALM_ADMIN_KEY')
      .option('--json', 'print JSON')
      .addHelpText('after', `\nExample:\n  $ realm models ${example} --url http://127.0.0.1:8080`);
  command('served', 'List the models of a server, and which are loaded.', 'served').action(list);
  for (const [name, description] of [
    ['load', 'Load a model of a server.'],
    ['unload', 'Unload a model of a server when the requests that have it have ended.'],
  ] as const) {
    command(name, description, `${name} small`)
      .argument('<model>')
      .action((model: string, options: ServedOptions) => change(name, model, options));
  }
}

async function list({ url, json }: ServedOptions): Promise<void> {
  const { askOperator } = await import('./admin-request.ts');
  const { data } = await askOperator<{ data: ModelStatus[] }>(url, 'GET', '/models');
  if (json) return printJson(data);
  const head = ['NAME', 'STATE', 'DEVICE', 'MEMORY', 'REQUESTS', 'WAIT', 'ALSO'];
  const rows = data.map(each => [
    each.id,
    each.error ? `${each.state}: ${each.error.code}` : each.state,
    each.device ?? '',
    formatBytes(each.memory_bytes + each.gpu_memory_bytes),
    String(each.leases),
    String(each.waiting),
    [...(each.pinned ? ['(pinned)'] : []), ...each.aliases].join(', '),
  ]);
  print(table([head, ...rows], [3, 4, 5]));
}

async function change(what: 'load' | 'unload', model: string, { url, json }: ServedOptions): Promise<void> {
  const { askOperator } = await import('./admin-request.ts');
  const status = await askOperator<ModelStatus>(url, 'POST', `/models/${encodeURIComponent(model)}/${what}`);
  if (json) printJson(status);
  else print(`${status.id}: ${status.state}`);
}
