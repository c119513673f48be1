import type { Command } from 'commander';
import { RealmError } from '../errors.ts';
import { formatBytes, print, printJson, remark, table } from './output.ts';
import { fetchObserver } from './progress.ts';
import { addServedModels } from './served-models.ts';

export function addModels(realm: Command): void {
  const models = realm
    .command('models')
    .description('Known models: list them, fetch one, remove one; and those of a server that runs.')
    .addHelpText(
      'after',
      '\nExamples:\n  $ realm models\n  $ realm models pull smollm2-135m\n  $ realm models rm smollm2-135m',
    );
  models
    .command('list', { isDefault: true })
    .description('List the catalog and what is on this machine.')
    .option('--json', 'print JSON')
    .action(list);
  models
    .command('pull')
    .argument('<name>', 'a name of the list')
    .description('Fetch a model and check it.')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  $ realm models pull smollm2-135m')
    .action(pull);
  models
    .command('rm')
    .argument('<name>', 'a name of the list')
    .description('Remove what was downloaded of a model. Files in other folders stay.')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  $ realm models rm smollm2-135m')
    .action(remove);
  addServedModels(models);
}

async function list({ json }: { json?: boolean }): Promise<void> {
  const { catalog } = await import('../catalog/catalog.ts');
  const { installedFile } = await import('../catalog/installed.ts');
  const { openStore } = await import('../catalog/store.ts');
  const { architectures } = await import('../model/architectures/table.ts');
  const runnable = new Set(architectures.map(each => each.name));
  const store = openStore();
  const rows = await Promise.all(
    catalog.map(async ({ sources: _, ...entry }) => {
      return { ...entry, runs: runnable.has(entry.architecture), path: await installedFile(store, entry.file) };
    }),
  );
  if (json) return printJson(rows);
  const head = ['NAME', 'SIZE', 'MEMORY', 'HERE', 'RUNS', 'WHAT'];
  const lines = rows.map(row => [
    row.name,
    formatBytes(row.approximateSize),
    formatBytes(row.memory),
    row.path ? 'yes' : 'no',
    row.runs ? 'yes' : `not yet (${row.architecture})`,
    `${row.description} ${row.licence}.`,
  ]);
  print(table([head, ...lines], [1, 2]));
  remark(`\nDownloads are kept in ${store.folder}.`);
}

async function pull(name: string, { json }: { json?: boolean }): Promise<void> {
  const { fetchModel } = await import('../catalog/fetch.ts');
  const { openStore } = await import('../catalog/store.ts');
  const observer = fetchObserver();
  const entry = await known(name);
  const file = await fetchModel(openStore(), entry, observer).finally(() => observer.stop());
  if (json) printJson({ name: file.name, path: file.path, origin: file.origin });
  else print(`${file.name}: ${file.origin}\n${file.path}`);
}

async function remove(name: string, { json }: { json?: boolean }): Promise<void> {
  const { removeDownloads } = await import('../catalog/installed.ts');
  const { openStore } = await import('../catalog/store.ts');
  const { file } = await known(name);
  const removed = await removeDownloads(openStore(), file);
  if (json) printJson({ removed });
  else
    print(removed.length > 0 ? removed.map(path => `removed ${path}`).join('\n') : `${name} has not been downloaded.`);
}

async function known(name: string) {
  const { catalog, findEntry } = await import('../catalog/catalog.ts');
  const entry = findEntry(name);
  if (entry) return entry;
  const names = catalog.map(each => each.name).join(', ');
  throw new RealmError('model_not_found', `No model "${name}" in the catalog; there are ${names}.`);
}
