import type { Command } from 'commander';
import type { LocalModel } from '../catalog/here.ts';
import type { HubReference } from '../catalog/reference.ts';
import type { CatalogEntry } from '../catalog/types.ts';
import { RealmError } from '../errors.ts';
import { addModelInfo } from './model-info.ts';
import { formatBytes, print, printJson, remark, table } from './output.ts';
import { fetchObserver } from './progress.ts';
import { addServedModels } from './served-models.ts';

interface Options {
  readonly json?: boolean;
}

export function addModels(realm: Command): void {
  const models = realm
    .command('models')
    .description('Models: list them, search a hub, fetch one, remove one; and those of a server that runs.')
    .addHelpText(
      'after',
      '\nExamples:\n  $ realm models\n  $ realm models pull smollm2-135m\n  $ realm models pull OWNER/REPO:Q4_K_M\n' +
        '  $ realm models add /data/models\n  $ realm models rm smollm2-135m\n\n' +
        'HF_ENDPOINT names another hub than huggingface.co, HF_TOKEN an access token for it. Models of Ollama\n' +
        '(OLLAMA_MODELS, else its usual folders) are listed too and used where they are: --model ollama:NAME.',
    );
  const command = (name: string, argument: string | undefined, explained: string, description: string) => {
    const made = models.command(name).description(description).option('--json', 'print JSON');
    return argument === undefined ? made : made.argument(argument, explained);
  };
  models
    .command('list', { isDefault: true })
    .description('List the catalog and what else is on this machine.')
    .option('--json', 'print JSON')
    .action(list);
  command('pull', '<name>', 'a name of the catalog, or OWNER/REPO[:QUANT] of a hub', 'Fetch a model and check it.')
    .addHelpText('after', '\nExamples:\n  $ realm models pull smollm2-135m\n  $ realm models pull hf:OWNER/REPO:Q8_0')
    .action(pull);
  command('add', '<folder>', 'a folder with GGUF files in it or below it', 'Use the models of a folder by their names.')
    .addHelpText('after', '\nExample:\n  $ realm models add /data/models')
    .action(add);
  command(
    'rm',
    '<name>',
    'a name of the list, or a folder that was added',
    'Remove what was downloaded of a model, or take a folder away. Files in other folders stay.',
  )
    .addHelpText('after', '\nExample:\n  $ realm models rm smollm2-135m')
    .action(remove);
  addModelInfo(models);
  addServedModels(models);
}

async function list({ json }: Options): Promise<void> {
  const { catalog } = await import('../catalog/catalog.ts');
  const { modelsHere } = await import('../catalog/here.ts');
  const { installedFile } = await import('../catalog/installed.ts');
  const { openStore } = await import('../catalog/store.ts');
  const { architectures } = await import('../model/architectures/table.ts');
  const runnable = new Set(architectures.map(each => each.name));
  const store = openStore();
  const rows = await Promise.all(
    catalog.map(async ({ sources: _, ...entry }) => {
      const path = await installedFile(store, entry.file);
      return { ...entry, source: 'catalog', runs: runnable.has(entry.architecture), path };
    }),
  );
  const others = await modelsHere(store);
  if (json) return printJson([...rows, ...others]);
  const head = ['NAME', 'SOURCE', 'SIZE', 'MEMORY', 'HERE', 'RUNS', 'WHAT'];
  print(table([head, ...rows.map(catalogRow), ...others.map(localRow)], [2, 3]));
  remark(`\nDownloads are kept in ${store.folder}.`);
}

function catalogRow(row: Omit<CatalogEntry, 'sources'> & { runs: boolean; path: string | undefined }): string[] {
  return [
    row.name,
    'catalog',
    formatBytes(row.approximateSize),
    formatBytes(row.memory),
    row.path ? 'yes' : 'no',
    row.runs ? 'yes' : `not yet (${row.architecture})`,
    `${row.description} ${row.licence}.`,
  ];
}

/** What it needs and whether it runs is in the file; `realm inspect` reads it. */
function localRow({ name, source, size, path }: LocalModel): string[] {
  return [name, source, formatBytes(size), '', 'yes', '', path];
}

async function pull(name: string, { json }: Options): Promise<void> {
  const { findEntry } = await import('../catalog/catalog.ts');
  const { openStore } = await import('../catalog/store.ts');
  const observer = fetchObserver();
  const reference = findEntry(name) ? undefined : await hubReference(name);
  const fetching = reference
    ? (await import('../catalog/hub/pull.ts')).pullFromHub(openStore(), reference, observer)
    : (await import('../catalog/fetch.ts')).fetchModel(openStore(), await known(name), observer);
  const file = await fetching.finally(() => observer.stop());
  if (json) printJson({ name: file.name, path: file.path, origin: file.origin });
  else print(`${file.name}: ${file.origin}\n${file.path}`);
}

async function add(folder: string, { json }: Options): Promise<void> {
  const { addFolder } = await import('../catalog/folders.ts');
  const { modelsHere } = await import('../catalog/here.ts');
  const { openStore } = await import('../catalog/store.ts');
  const path = await addFolder(openStore().folder, folder);
  const there = (await modelsHere(openStore())).filter(model => model.path.startsWith(path));
  if (json) return printJson({ folder: path, models: there.map(({ name }) => name) });
  print(there.length > 0 ? there.map(({ name }) => name).join('\n') : `${path} has no GGUF files yet.`);
}

async function remove(name: string, { json }: Options): Promise<void> {
  const { removeFolder } = await import('../catalog/folders.ts');
  const { openStore } = await import('../catalog/store.ts');
  const store = openStore();
  if (await removeFolder(store.folder, name))
    return json
      ? printJson({ removed: [], folder: name })
      : print(`${name} is looked through no more; its files stay.`);
  const reference = await hubReference(name);
  const removed = reference ? await removePulled(reference) : await removeEntry(name);
  if (json) printJson({ removed });
  else
    print(removed.length > 0 ? removed.map(path => `removed ${path}`).join('\n') : `${name} has not been downloaded.`);
}

async function removeEntry(name: string): Promise<string[]> {
  const { removeDownloads } = await import('../catalog/installed.ts');
  const { openStore } = await import('../catalog/store.ts');
  return removeDownloads(openStore(), (await known(name)).file);
}

async function removePulled(reference: HubReference): Promise<string[]> {
  const { removePulled: removeFiles } = await import('../catalog/hub/pull.ts');
  const { openStore } = await import('../catalog/store.ts');
  return removeFiles(openStore(), reference);
}

/** `OWNER/REPO` needs no `hf:` where nothing else can be meant. */
async function hubReference(name: string): Promise<HubReference | undefined> {
  const { readHubName, readReference } = await import('../catalog/reference.ts');
  const found = readReference(name) ?? readHubName(name);
  if (found?.kind !== 'ollama') return found;
  const message = `${name} is Ollama's, and is used where it is; \`ollama pull\` and \`ollama rm\` change that.`;
  throw new RealmError('usage', message);
}

async function known(name: string) {
  const { findEntry } = await import('../catalog/catalog.ts');
  const entry = findEntry(name);
  if (entry) return entry;
  throw new RealmError(
    'model_not_found',
    `No model "${name}" in the catalog; \`realm models\` lists it, and OWNER/REPO of a hub works too.`,
  );
}
