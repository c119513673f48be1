import { readdir, stat } from 'node:fs/promises';
import { basename, join, sep } from 'node:path';
import { catalog } from './catalog.ts';
import { fileOf } from './hub/pull.ts';
import { allPulled } from './hub/pulled.ts';
import { ollamaModels } from './ollama.ts';
import type { Store } from './store.ts';

/** A model on this machine that the catalog does not know. */
export interface LocalModel {
  /** What `--model` takes. */
  readonly name: string;
  readonly source: 'hub' | 'ollama' | 'folder';
  readonly path: string;
  /** Bytes, of all parts. */
  readonly size: number;
}

/** Below a folder, models lie in folders of their owners and repositories at most. */
const depth = 4;
/** Files of a folder that are looked at: a home directory that was added by mistake ends here. */
const mostFiles = 50_000;

/** What was pulled from hubs, lies in folders, or is Ollama's. */
export async function modelsHere(store: Store, env: NodeJS.ProcessEnv = process.env): Promise<LocalModel[]> {
  const hub = (await allPulled(store)).map(({ repo, pulled }): LocalModel => {
    const size = pulled.files.reduce((sum, file) => sum + file.size, 0);
    return { name: `hf:${repo}:${pulled.quantization}`, source: 'hub', path: fileOf(store, repo, pulled).path, size };
  });
  const ollama = (await ollamaModels(env)).map(({ name, path, pin }): LocalModel => {
    return { name: `ollama:${name}`, source: 'ollama', path, size: pin.size };
  });
  return [...hub, ...ollama, ...(await modelsInFolders(store))];
}

/** The model of that name in a folder, the first one. */
export async function findInFolders(store: Store, name: string): Promise<LocalModel | undefined> {
  return (await modelsInFolders(store)).find(each => each.name.toLowerCase() === name.toLowerCase());
}

async function modelsInFolders(store: Store): Promise<LocalModel[]> {
  const known = new Set(catalog.map(({ file }) => file));
  const found = new Map<string, LocalModel>();
  for (const folder of store.localFolders) {
    // What the catalog names, and what hubs gave, has names of its own.
    const isOther = (path: string) => !known.has(path) && (folder !== store.folder || !path.startsWith(`hub${sep}`));
    for (const model of await modelsIn(folder, isOther)) if (!found.has(model.name)) found.set(model.name, model);
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The models whose files lie in a folder or a little below it; none where there is no such folder. */
export async function modelsIn(folder: string, isWanted = (_path: string) => true): Promise<LocalModel[]> {
  const all = await readdir(folder, { recursive: true }).catch(() => []);
  const paths = all.slice(0, mostFiles).filter(path => isPart(path) && path.split(sep).length <= depth);
  const groups = Map.groupBy(paths.filter(isWanted).sort(), path => path.replace(splitEnd, '').replace(/\.gguf$/i, ''));
  const models: LocalModel[] = [];
  for (const [stem, [first = '', ...more]] of groups) {
    const size = await sizeOf([first, ...more].map(path => join(folder, path)));
    if (size !== undefined) models.push({ name: basename(stem), source: 'folder', path: join(folder, first), size });
  }
  return models;
}

const splitEnd = /-\d{5}-of-\d{5}\.gguf$/i;

/** Projectors of images are no models. */
const isPart = (path: string): boolean => /\.gguf$/i.test(path) && !/mmproj|imatrix/i.test(basename(path));

async function sizeOf(paths: readonly string[]): Promise<number | undefined> {
  const all = await Promise.all(paths.map(path => stat(path).catch(() => undefined)));
  if (!all.every(each => each?.isFile())) return undefined;
  return all.reduce((sum, each) => sum + (each?.size ?? 0), 0);
}
