import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { RealmError } from '../errors.ts';
import { catalog, defaultModel, findEntry } from './catalog.ts';
import { type FetchOptions, fetchModel } from './fetch.ts';
import { openStore, type Store } from './store.ts';
import type { CatalogEntry, ModelFile } from './types.ts';

export interface ResolveOptions extends FetchOptions {
  readonly store?: Store;
}

/** A name is a word of the catalog; everything that looks like a path or a file is one. */
const looksLikePath = (text: string): boolean => /[/\\]|\.gguf$/i.test(text);

/**
 * The file behind what a user calls a model: a name in the catalog (fetched when it is not there) or a path. Without
 * one: the default model. Throws `model_not_found`, `model_file_missing`, `download_failed`, `store_locked`.
 */
export async function resolveModel(model: string = defaultModel, options: ResolveOptions = {}): Promise<ModelFile> {
  const entry = findEntry(model);
  if (entry) return fetchModel(options.store ?? openStore(options.env), entry, options);
  const path = resolve(model);
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile()) return fileAt(path);
  if (looksLikePath(model) || found) {
    const what = found ? 'is not a file' : 'does not exist';
    throw new RealmError('model_file_missing', `${path} ${what}; --model takes a GGUF file or a catalog name.`);
  }
  const names = catalog.map(known => known.name).join(', ');
  throw new RealmError(
    'model_not_found',
    `No model "${model}"; the catalog has ${names}, and a path to a GGUF file works too.`,
  );
}

/** A file given by its path keeps the defaults of the catalog entry whose file it is, by name and size. */
async function fileAt(path: string): Promise<ModelFile> {
  const { size } = await stat(path);
  const same = (entry: CatalogEntry): boolean => entry.file === basename(path) && entry.pin?.size === size;
  const entry = catalog.find(same);
  const name = entry?.name ?? basename(path).replace(/\.gguf$/i, '');
  return { name, path, origin: `file ${path}`, ...(entry && { entry }) };
}
