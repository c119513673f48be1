import { resolveModel } from '../catalog/resolve.ts';
import type { FetchObserver, ModelFile } from '../catalog/types.ts';
import { textGeneration } from '../engine/generation.ts';
import { openEngine } from '../engine/handle.ts';
import { openGguf } from '../gguf/open.ts';
import type { ModelConfig, ModelPlace } from '../tenancy/config.ts';
import { chatTemplate } from '../tokenizer/chat-template.ts';
import type { Token } from '../tokenizer/types.ts';
import { createTokenizer } from '../tokenizer/create.ts';
import { encodeChat } from './prompt.ts';
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
  const { tokenizer, template } = await readText(file.path);
  const engine = await openEngine({
    path: file.path,
    draft: draft?.path,
    context: options.context ?? config.context,
    kvType: config.kvType,
    speculation: config.speculation,
    prefillMs: config.prefillMs,
    streamMs: config.streamMs,
    weights: valuesOf(options.tenants, 'weight'),
    maxWaitingOf: valuesOf(options.tenants, 'maxQueued'),
    sharedPrefixes: config.sharedPrompts?.map(text => prefixOf(text, { tokenizer, template })),
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
    defaults: { system: system ?? file.entry?.system, sampling: { ...file.entry?.sampling, ...sampling } },
    created: Math.floor(Date.now() / 1000),
  };
}

/** What is said of single tenants, by their ids. */
function valuesOf(tenants: readonly Tenant[] = [], key: 'weight' | 'maxQueued'): Map<string, number> {
  const said = tenants.filter(tenant => tenant[key] !== undefined);
  return new Map(said.map(tenant => [tenant.id, tenant[key]!]));
}

/** What the tokens of all chats with this system prompt begin with. */
function prefixOf(system: string, text: Pick<LoadedModel, 'tokenizer' | 'template'>): Token[] {
  const [one, other] = ['a', '0'].map(content => {
    const messages = [
      { role: 'system', content: system },
      { role: 'user', content },
    ];
    return encodeChat(text, text.template.render(messages, { addGenerationPrompt: true }));
  });
  const differs = one.findIndex((token, i) => token !== other[i]);
  return differs < 0 ? one : one.slice(0, differs);
}

function nameOf(place: ModelPlace | undefined): string | undefined {
  return place && ('path' in place ? place.path : place.catalog);
}

/** The half of a model that stays with the server: text to tokens and back. */
async function readText(path: string): Promise<Pick<LoadedModel, 'tokenizer' | 'template'>> {
  const file = await openGguf(path);
  try {
    const tokenizer = createTokenizer(file.metadata);
    return { tokenizer, template: chatTemplate(file.metadata, tokenizer) };
  } finally {
    await file.close();
  }
}
