import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { RealmError } from '../errors.ts';
import { catalog, defaultModel, findEntry } from './catalog.ts';
import { type FetchOptions, fetchModel } from './fetch.ts';
import { hubText, isReference, readHubName, readReference } from './reference.ts';
import { openStore, type Store } from './store.ts';
import type { CatalogEntry, ModelFile } from './types.ts';

export interface ResolveOptions extends FetchOptions {
  readonly store?: Store;
}

/** Everything that looks like a path or a file is one. */
const looksLikePath = (text: string): boolean => /[/\\]|\.gguf$/i.test(text);

/**
 * The file behind what a user calls a model: a name in the catalog, `hf:OWNER/REPO[:QUANT]` (both fetched when they are not
 * there), `ollama:NAME[:TAG]`, a path, or the name of a file in a folder of models. Without one: the default model. Throws
 * `model_not_found`, `model_file_missing`, `model_gated`, `quantization_not_found`, `download_failed`, `checksum_mismatch`,
 * `store_locked`.
 */
export async function resolveModel(model: string = defaultModel, options: ResolveOptions = {}): Promise<ModelFile> {
  const named = await resolveName(model, options);
  if (named) return named;
  const path = resolve(model);
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile()) return fileAt(path);
  const local = await resolveLocal(model, options);
  if (local) return local;
  if (looksLikePath(model) || found) throw noFile(model, path, found !== undefined);
  throw noModel(model);
}

/** What is no path: a name of the catalog, or a reference. undefined: it is none of these. */
async function resolveName(model: string, options: ResolveOptions): Promise<ModelFile | undefined> {
  const store = () => options.store ?? openStore(options.env);
  const entry = findEntry(model);
  if (entry) return { ...(await fetchModel(store(), entry, options)), defaults: defaultsOf(entry) };
  const reference = readReference(model);
  // Rarely needed, and slow to import.
  if (reference?.kind === 'hub') return (await import('./hub/pull.ts')).pullFromHub(store(), reference, options);
  if (reference) return (await import('./ollama.ts')).openOllamaModel(store(), reference, options.env);
  return undefined;
}

/** What lies on this machine under a name: a file of a folder, or what was pulled from `OWNER/REPO`. */
async function resolveLocal(model: string, options: ResolveOptions): Promise<ModelFile | undefined> {
  const store = options.store ?? openStore(options.env);
  const { findInFolders } = await import('./here.ts');
  const found = await findInFolders(store, model);
  if (found) return fileAt(found.path);
  const reference = readHubName(model);
  if (!reference) return undefined;
  const { findPulled } = await import('./hub/pulled.ts');
  if (!(await findPulled(store, reference))) return undefined;
  return (await import('./hub/pull.ts')).pullFromHub(store, reference, options);
}

/**
 * Whether `name` is one that needs no path: of the catalog, of a hub's or Ollama's model, or of a file in a folder of models.
 * Nobody is asked whether a hub has it.
 */
export async function isModelName(name: string, store: Store = openStore()): Promise<boolean> {
  if (findEntry(name) || isReference(name)) return true;
  if (looksLikePath(name)) return false;
  const { findInFolders } = await import('./here.ts');
  return (await findInFolders(store, name)) !== undefined;
}

/** A file given by its path keeps the defaults of the catalog entry whose file it is, by name and size. */
async function fileAt(path: string): Promise<ModelFile> {
  const { size } = await stat(path);
  const same = (entry: CatalogEntry): boolean => entry.file === basename(path) && entry.pin?.size === size;
  const entry = catalog.find(same);
  const name = entry?.name ?? basename(path).replace(/(-00001-of-\d{5})?\.gguf$/i, '');
  return { name, path, origin: `file ${path}`, ...(entry && { defaults: defaultsOf(entry) }) };
}

const defaultsOf = ({ system, sampling }: CatalogEntry) => ({ system, sampling });

function noFile(model: string, path: string, isThere: boolean): RealmError {
  const what = isThere ? 'is not a file' : 'does not exist';
  const reference = readHubName(model);
  const hint = reference && !isThere ? ` ${hubText(reference)} fetches it from a hub.` : '';
  const message = `${path} ${what}; --model takes a GGUF file or a name of \`realm models\`.${hint}`;
  return new RealmError('model_file_missing', message);
}

function noModel(model: string): RealmError {
  const others = 'a path to a GGUF file, hf:OWNER/REPO and ollama:NAME work too';
  return new RealmError(
    'model_not_found',
    `No model "${model}"; \`realm models\` lists those that are known, and ${others}.`,
  );
}
