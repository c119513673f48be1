import { readFile } from 'node:fs/promises';
import type { DeviceChoice } from '../backend/device.ts';
import { resolveModel } from '../catalog/resolve.ts';
import type { FetchObserver, ModelFile } from '../catalog/types.ts';
import type { BrownOutLimits } from '../engine/brown-out.ts';
import type { Sampling } from '../engine/request.ts';
import type { OpenEngine } from '../engine/supervision/restarting-engine.ts';
import type { BrownOutLevel, Engine } from '../engine/types.ts';
import { openEngine } from '../engine/worker/handle.ts';
import { asRealmError } from '../errors.ts';
import { nameOfSource } from '../gguf/open.ts';
import type { FileSource } from '../gguf/types.ts';
import type { ModelEntry, ModelPlace, TemplatePlace } from '../tenancy/config.ts';
import type { Tenant } from '../tenancy/tenants.ts';
import type { Token } from '../tokenizer/types.ts';
import { textGeneration } from './generate.ts';
import { type ModelText, openModelText, type TextModel } from './model-text.ts';
import { openUnless } from './open-unless.ts';
import { encodeChat, renderChat } from './prompt.ts';
import type { GenerateText } from './types.ts';

/** A model that requests can name: the engine and the text around it. */
export interface LoadedModel extends TextModel {
  readonly engine: Engine;
  readonly generate: GenerateText;
  /** Used by requests that do not say themselves. */
  readonly defaults: { readonly system?: string | undefined; readonly sampling?: Sampling };
  /** What the operator says of its sampling now, in the place of what was said before. */
  setSampling?(sampling: Sampling | undefined): void;
  /** When it was loaded, seconds since 1970. */
  readonly created: number;
}

/** A loaded model and where its file came from. */
export interface ServedModel extends LoadedModel {
  readonly file: ModelFile;
}

export interface LoadOptions {
  /** The model itself, or its URL, instead of what the configuration names. */
  readonly data?: FileSource | undefined;
  readonly context?: number | undefined;
  readonly threads?: number | undefined;
  /** Where it is computed; default: what the configuration says, else `auto`. */
  readonly device?: DeviceChoice | undefined;
  /** Layers on a GPU; default: what the configuration says, else as many as fit. */
  readonly gpuLayers?: number | undefined;
  /** Tokens that the KV cache holds over all sequences. */
  readonly kvTokens?: number | undefined;
  /** Bytes of memory that it may take; default: what is free. */
  readonly memory?: number | undefined;
  /** Who shares the model, as far as they are known. */
  readonly tenants?: readonly Share[] | undefined;
  /** Opens its engine, again when it has died. Absent: it is opened once. */
  readonly supervise?: ((open: OpenEngine) => Promise<Engine>) | undefined;
  /** How long the engine may stand still in the middle of a step before it counts as dead. Absent: nobody looks. */
  readonly watchdogMs?: number | undefined;
  /** When guesses and sessions are given up, and who hears of it. Absent: never. */
  readonly brownOut?: BrownOutLimits | undefined;
  readonly onBrownOut?: ((level: BrownOutLevel) => void) | undefined;
  /** Hears of what is wrong with the file and can be lived with. */
  readonly onWarning?: (message: string) => void;
  /** Hears of downloads. */
  readonly observer?: FetchObserver;
  /** Hears of weights being loaded, bytes. */
  readonly onProgress?: (loaded: number, total: number) => void;
  /** Aborted: nothing stays loaded, and its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}

/** What a model needs to know of a tenant. */
type Share = Pick<Tenant, 'id' | 'weight' | 'maxQueued'>;

/** Finds or fetches a model's file and loads it. Options go before the configuration, and that before what the catalog recommends. */
export async function loadModel(config: Partial<ModelEntry>, options: LoadOptions): Promise<ServedModel> {
  const { source, system, sampling } = config;
  const fetching = { ...options.observer, signal: options.signal };
  const { data } = options;
  const file = data === undefined ? await resolveModel(nameOf(source), fetching) : fileOf(data);
  const draft = config.draft && (await resolveModel(nameOf(config.draft), fetching));
  const warn = options.onWarning ?? (() => {});
  const textOptions = {
    system: system ?? file.defaults?.system,
    toolFormat: config.toolFormat,
    template: config.chatTemplate && (await sourceOf(config.chatTemplate)),
  };
  const text = await openModelText(data ?? file.path, textOptions, warn);
  const { tokenizer, template, format } = text;
  const recommended: Sampling = { ...text.defaults.sampling, ...file.defaults?.sampling };
  const defaults: { readonly system: string | undefined; readonly sampling: Sampling } = {
    system: textOptions.system,
    sampling: { ...recommended, ...sampling },
  };
  tryChat({ ...text, defaults }, warn);
  const open: OpenEngine = async as => {
    const engine = await openEngine({
      file: data ?? file.path,
      draft: draft?.path,
      context: as?.context ?? options.context ?? config.context,
      kvType: config.kvType,
      speculation: config.speculation,
      prefillMs: config.prefillMs,
      firstPrefillMs: config.firstPrefillMs,
      streamMs: config.streamMs,
      weights: valuesOf(options.tenants, 'weight'),
      maxWaitingOf: valuesOf(options.tenants, 'maxQueued'),
      sharedPrefixes: config.sharedPrompts?.flatMap(prompt => prefixOf(prompt, { ...text, defaults: {} }, warn)),
      threads: options.threads,
      device: options.device ?? config.device,
      gpuLayers: options.gpuLayers ?? config.gpuLayers,
      kvTokens: as?.kvTokens ?? options.kvTokens ?? config.kvTokens,
      memory: options.memory,
      watchdogMs: options.watchdogMs,
      brownOut: options.brownOut,
      onBrownOut: options.onBrownOut,
      onProgress: as ? undefined : options.onProgress,
    });
    for (const remark of engine.info.remarks ?? []) warn(remark);
    return engine;
  };
  const opening = options.supervise ? options.supervise(open) : open();
  const engine = await openUnless(options.signal, opening);
  return {
    id: config.id ?? file.name,
    file,
    engine,
    tokenizer,
    template,
    format,
    toolFormat: text.toolFormat,
    rankTemplate: text.rankTemplate,
    textSource: data === undefined ? { path: file.path, ...textOptions } : undefined,
    generate: textGeneration(engine, text, defaults.sampling),
    defaults,
    setSampling(changed) {
      // Whoever generates has this very object.
      for (const key of Object.keys(defaults.sampling)) delete defaults.sampling[key as keyof Sampling];
      Object.assign(defaults.sampling, recommended, changed);
    },
    created: Math.floor(Date.now() / 1000),
  };
}

/** What is said of single tenants, by their ids. */
function valuesOf(tenants: readonly Share[] = [], key: 'weight' | 'maxQueued'): Map<string, number> {
  return new Map(tenants.flatMap(({ id, [key]: value }) => (value === undefined ? [] : [[id, value]])));
}

type Warn = (message: string) => void;

/** What the tokens of all chats with this system prompt begin with; nothing where the template refuses it. */
function prefixOf(system: string, model: ModelText, warn: Warn): Token[][] {
  const tokensOf = (content: string) => {
    const messages = [
      { role: 'system', content: system },
      { role: 'user', content },
    ];
    return encodeChat(model, { messages });
  };
  try {
    const [one, other] = [tokensOf('a'), tokensOf('0')];
    const differs = one.findIndex((token, i) => token !== other[i]);
    return [differs < 0 ? one : one.slice(0, differs)];
  } catch (error) {
    warn(`a shared prompt is of no use: ${asRealmError(error).message}`);
    return [];
  }
}

/** Has the template write a chat, so that whoever starts the server hears of what every chat would. */
function tryChat(model: ModelText, warn: Warn): void {
  try {
    renderChat(model, { messages: [{ role: 'user', content: 'Hello' }] });
    if (model.template.habits.system === 'folded')
      warn('the chat template has no system role; system prompts go into the first user message');
  } catch (error) {
    warn(`chats will be refused; completions and embeddings are not: ${asRealmError(error).message}`);
  }
}

/** What stands for the file of data. */
function fileOf(data: FileSource): ModelFile {
  const path = nameOfSource(data);
  const name = path.replace(/^.*[/\\]|\.gguf$/gi, '');
  return { name, path, origin: path };
}

/** What a place is called where a user names a model. */
export function nameOf(place: ModelPlace | undefined): string | undefined {
  return place && ('path' in place ? place.path : place.catalog);
}

async function sourceOf(place: TemplatePlace): Promise<string> {
  return 'source' in place ? place.source : readFile(place.path, 'utf8');
}
