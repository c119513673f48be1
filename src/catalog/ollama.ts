import { readdir, readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve, sep } from 'node:path';
import { type AdviceNames, adviceOf } from '../engine/sampling/advice.ts';
import { RealmError } from '../errors.ts';
import { checkOnce } from './local-source.ts';
import type { OllamaReference } from './reference.ts';
import type { Store } from './store.ts';
import type { ModelDefaults, ModelFile, Pin } from './types.ts';

/** A model of Ollama's store, which Realm only reads: the blob is a GGUF file, and is used where it lies. */
export interface OllamaModel {
  /** As `ollama list` shows it. */
  readonly name: string;
  readonly path: string;
  readonly pin: Pin;
}

interface Layer {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

const registry = 'registry.ollama.ai';
/** A manifest is a few lines of JSON, and so are parameters. */
const mostText = 1 << 20;

/** Where Ollama keeps its models: for its user, or as a service of the system. */
function foldersOf(env: NodeJS.ProcessEnv): string[] {
  if (env.OLLAMA_MODELS) return [resolve(env.OLLAMA_MODELS)];
  return [join(env.HOME || homedir(), '.ollama', 'models'), '/usr/share/ollama/.ollama/models'];
}

/** What lies there; none where there is no Ollama. A manifest that cannot be read is passed over. */
export async function ollamaModels(env: NodeJS.ProcessEnv = process.env): Promise<OllamaModel[]> {
  const found = new Map<string, OllamaModel>();
  for (const folder of foldersOf(env)) {
    const paths = await readdir(join(folder, 'manifests'), { recursive: true }).catch(() => []);
    for (const parts of paths.map(path => path.split(sep)).filter(({ length }) => length === 4)) {
      const name = nameOf(parts);
      const model = await readManifest(folder, parts).catch(() => undefined);
      if (model && !found.has(name)) found.set(name, { name, ...blobOf(folder, model.weights) });
    }
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * The model's file with what its makers recommend, checked against the checksum in its name once. Throws `model_not_found`,
 * `model_invalid` (its layers are no single GGUF file) and `checksum_mismatch`.
 */
export async function openOllamaModel(
  store: Store,
  { name }: OllamaReference,
  env: NodeJS.ProcessEnv = process.env,
): Promise<ModelFile> {
  const parts = partsOf(name);
  for (const folder of parts ? foldersOf(env) : []) {
    const manifest = await readManifest(folder, parts!);
    if (!manifest) continue;
    const { path, pin } = blobOf(folder, manifest.weights);
    if (!(await stat(path).catch(() => undefined)))
      throw new RealmError('model_file_missing', `Ollama's ${name} is not whole: ${path} is missing; pull it again.`);
    await checkOnce(store, path, pin);
    const defaults = await defaultsOf(folder, manifest.layers);
    return { name: nameOf(parts!), path, defaults, origin: `Ollama's store, ${nameOf(parts!)}` };
  }
  const there = (await ollamaModels(env)).map(model => model.name);
  const list = there.length > 0 ? `there are ${there.join(', ')}` : `there are none in ${foldersOf(env).join(' or ')}`;
  throw new RealmError('model_not_found', `Ollama has no model "${name}"; ${list}. OLLAMA_MODELS names its folder.`);
}

/** `library/qwen3:4b` and so on, as Ollama completes a name; undefined: it cannot be one. */
function partsOf(name: string): string[] | undefined {
  const [, path = '', tag = 'latest'] = /^(.*?)(?::([^:/]+))?$/.exec(name) ?? [];
  const given = path.split('/');
  const whole = [...[registry, 'library'].slice(0, Math.max(0, 3 - given.length)), ...given, tag];
  return whole.length === 4 && whole.every(part => /^[\w][\w.:-]{0,100}$/.test(part)) ? whole : undefined;
}

function nameOf([host, owner, model, tag]: readonly string[]): string {
  const path = host !== registry ? [host, owner, model] : owner !== 'library' ? [owner, model] : [model];
  return `${path.join('/')}:${tag}`;
}

/** undefined: there is no such manifest. */
async function readManifest(
  folder: string,
  parts: readonly string[],
): Promise<{ layers: readonly Layer[]; weights: Layer } | undefined> {
  const path = join(folder, 'manifests', ...parts);
  const text = await readText(path);
  if (text === undefined) return undefined;
  const { layers } = parse(path, text) as { layers?: unknown };
  if (!Array.isArray(layers) || !layers.every(isLayer)) throw bad(path, 'is no manifest of Ollama');
  const kinds = (kind: string) =>
    layers.filter(({ mediaType }) => mediaType === `application/vnd.ollama.image.${kind}`);
  const [weights, ...more] = kinds('model');
  if (!weights || more.length > 0) throw bad(path, `names ${kinds('model').length} GGUF files, and must name one`);
  if (kinds('adapter').length > 0) throw bad(path, 'adds an adapter to its model, which is not read from there');
  return { layers, weights };
}

function isLayer(value: unknown): value is Layer {
  const { mediaType, digest, size } = (value ?? {}) as Partial<Record<keyof Layer, unknown>>;
  const isDigest = typeof digest === 'string' && /^sha256:[0-9a-f]{64}$/.test(digest);
  return typeof mediaType === 'string' && isDigest && Number.isSafeInteger(size) && (size as number) >= 0;
}

function blobOf(folder: string, { digest, size }: Layer): { path: string; pin: Pin } {
  return {
    path: join(folder, 'blobs', digest.replace(':', '-')),
    pin: { size, sha256: digest.slice('sha256:'.length) },
  };
}

/** Ollama's names for what requests leave open. */
const parameters: AdviceNames = {
  temperature: 'temperature',
  topK: 'top_k',
  topP: 'top_p',
  minP: 'min_p',
  repetitionPenalty: 'repeat_penalty',
  penaltyWindow: 'repeat_last_n',
  presencePenalty: 'presence_penalty',
  frequencyPenalty: 'frequency_penalty',
};

async function defaultsOf(folder: string, layers: readonly Layer[]): Promise<ModelDefaults> {
  const textOf = async (kind: string) => {
    const layer = layers.find(({ mediaType }) => mediaType === `application/vnd.ollama.image.${kind}`);
    return layer && readText(blobOf(folder, layer).path);
  };
  const [system, params] = [await textOf('system'), await textOf('params')];
  const said = (params === undefined ? {} : (parse('parameters', params) ?? {})) as Record<string, unknown>;
  return { ...(system && { system }), sampling: adviceOf(parameters, name => said[name]) };
}

async function readText(path: string): Promise<string | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile()) return undefined;
  if (found.size > mostText) throw bad(path, 'is too long for what it should be');
  return readFile(path, 'utf8');
}

function parse(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw bad(path, 'is not JSON', cause);
  }
}

function bad(path: string, what: string, cause?: unknown): RealmError {
  return new RealmError('model_invalid', `${path} ${what}.`, { cause });
}
