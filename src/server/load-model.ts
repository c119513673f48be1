import { readFile } from 'node:fs/promises';
import { resolveModel } from '../catalog/resolve.ts';
import type { FetchObserver, ModelFile } from '../catalog/types.ts';
import { textGeneration } from '../engine/generation.ts';
import { openEngine } from '../engine/handle.ts';
import { asRealmError, RealmError } from '../errors.ts';
import { openGguf } from '../gguf/open.ts';
import type { Metadata } from '../gguf/types.ts';
import type { ModelConfig, ModelPlace, TemplatePlace } from '../tenancy/config.ts';
import { brokenTemplate, chatTemplate } from '../tokenizer/chat-template.ts';
import type { ChatTemplate, Token, Tokenizer } from '../tokenizer/types.ts';
import { createTokenizer } from '../tokenizer/create.ts';
import { encodeChat, renderChat } from './prompt.ts';
import type { LoadedModel } from './services.ts';
import type { Tenant } from '../tenancy/tenants.ts';

/** A loaded model and where its file came from. */
export interface ServedModel extends LoadedModel {
  readonly file: ModelFile;
}

export interface LoadOptions {
  readonly context?: number;
  readonly threads?: number;
  /** Who shares the model, as far as they are known. */
  readonly tenants?: readonly Tenant[];
  /** Hears of what is wrong with the file and can be lived with. */
  readonly onWarning?: (message: string) => void;
  /** Hears of downloads. */
  readonly observer?: FetchObserver;
  /** Hears of weights being loaded, bytes. */
  readonly onProgress?: (loaded: number, total: number) => void;
}

/** Finds or fetches a model's file and loads it. Options go before the configuration, and that before what the catalog recommends. */
export async function loadModel(config: Partial<ModelConfig>, options: LoadOptions): Promise<ServedModel> {
  const { source, system, sampling } = config;
  const file = await resolveModel(nameOf(source), options.observer);
  const draft = config.draft && (await resolveModel(nameOf(config.draft), options.observer));
  const warn = options.onWarning ?? (() => {});
  const { tokenizer, template } = await readText(file.path, config.chatTemplate, warn);
  const defaults = { system: system ?? file.entry?.system, sampling: { ...file.entry?.sampling, ...sampling } };
  tryChat({ tokenizer, template, defaults }, warn);
  const engine = await openEngine({
    path: file.path,
    draft: draft?.path,
    context: options.context ?? config.context,
    kvType: config.kvType,
    speculation: config.speculation,
    streamMs: config.streamMs,
    weights: valuesOf(options.tenants, 'weight'),
    maxWaitingOf: valuesOf(options.tenants, 'maxQueued'),
    sharedPrefixes: config.sharedPrompts?.flatMap(text => prefixOf(text, { tokenizer, template, defaults: {} }, warn)),
    threads: options.threads,
    onProgress: options.onProgress,
  });
  return {
    id: config.id ?? file.name,
    file,
    engine,
    tokenizer,
    template,
    generate: textGeneration(engine, tokenizer),
    defaults,
    created: Math.floor(Date.now() / 1000),
  };
}

/** What is said of single tenants, by their ids. */
function valuesOf(tenants: readonly Tenant[] = [], key: 'weight' | 'maxQueued'): Map<string, number> {
  const said = tenants.filter(tenant => tenant[key] !== undefined);
  return new Map(said.map(tenant => [tenant.id, tenant[key]!]));
}

type TextModel = Pick<LoadedModel, 'tokenizer' | 'template' | 'defaults'>;
type Warn = (message: string) => void;

/** What the tokens of all chats with this system prompt begin with; nothing where the template refuses it. */
function prefixOf(system: string, model: TextModel, warn: Warn): Token[][] {
  const chat = (content: string) => ({
    messages: [
      { role: 'system', content: system },
      { role: 'user', content },
    ],
  });
  try {
    const [one, other] = ['a', '0'].map(content => encodeChat(model, chat(content)));
    const differs = one.findIndex((token, i) => token !== other[i]);
    return [differs < 0 ? one : one.slice(0, differs)];
  } catch (error) {
    warn(`a shared prompt is of no use: ${asRealmError(error).message}`);
    return [];
  }
}

/** Has the template write a chat, so that whoever starts the server hears of what every chat would. */
function tryChat(model: TextModel, warn: Warn): void {
  try {
    renderChat(model, { messages: [{ role: 'user', content: 'Hello' }] });
    if (model.template.habits.system === 'folded')
      warn('the chat template has no system role; system prompts go into the first user message');
  } catch (error) {
    warn(`chats will be refused; completions and embeddings are not: ${asRealmError(error).message}`);
  }
}

function nameOf(place: ModelPlace | undefined): string | undefined {
  return place && ('path' in place ? place.path : place.catalog);
}

/** The half of a model that stays with the server: text to tokens and back. */
async function readText(
  path: string,
  place: TemplatePlace | undefined,
  warn: Warn,
): Promise<Pick<LoadedModel, 'tokenizer' | 'template'>> {
  const file = await openGguf(path);
  try {
    const tokenizer = createTokenizer(file.metadata, warn);
    return { tokenizer, template: await readTemplate(file.metadata, tokenizer, place) };
  } finally {
    await file.close();
  }
}

/** A template that the operator gives must be right; with a wrong one in the file, all but chats is answered. */
async function readTemplate(
  metadata: Metadata,
  tokenizer: Tokenizer,
  place: TemplatePlace | undefined,
): Promise<ChatTemplate> {
  const source = place && ('source' in place ? place.source : await readFile(place.path, 'utf8'));
  try {
    return chatTemplate(metadata, tokenizer, { source });
  } catch (cause) {
    const error = asRealmError(cause);
    if (!place) return brokenTemplate(error);
    throw new RealmError(error.code, `models[].chat_template: ${error.message}`, { cause });
  }
}
