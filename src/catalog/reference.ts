import { RealmError } from '../errors.ts';

/** A model that is named by where it is, not by a name of the catalog. */
export type Reference = HubReference | OllamaReference;

export interface HubReference {
  readonly kind: 'hub';
  /** `OWNER/REPO`. */
  readonly repo: string;
  /** `Q4_K_M`, or the name of a file; absent: the usual one. */
  readonly quantization?: string | undefined;
}

export interface OllamaReference {
  readonly kind: 'ollama';
  /** As `ollama list` shows it: `NAME:TAG`. */
  readonly name: string;
}

const hubPrefix = /^hf:(?:\/\/)?/i;
const ollamaPrefix = /^ollama:(?:\/\/)?/i;
const hubName = /^[A-Za-z0-9][\w.-]{0,95}\/[A-Za-z0-9][\w.-]{0,95}$/;

/** `hf:OWNER/REPO[:QUANT]`, `hf://…`, `ollama:NAME[:TAG]`; undefined: it is something else. Throws `model_not_found` for what cannot be one. */
export function readReference(text: string): Reference | undefined {
  if (hubPrefix.test(text)) {
    const found = readHubName(text.replace(hubPrefix, ''));
    if (found) return found;
    throw new RealmError(
      'model_not_found',
      `${text} is no model of a hub; write hf:OWNER/REPO or hf:OWNER/REPO:Q4_K_M.`,
    );
  }
  if (!ollamaPrefix.test(text)) return undefined;
  return { kind: 'ollama', name: text.replace(ollamaPrefix, '') };
}

export const isReference = (text: string): boolean =>
  ollamaPrefix.test(text) || (hubPrefix.test(text) && readHubName(text.replace(hubPrefix, '')) !== undefined);

/** The same of `OWNER/REPO[:QUANT]`, which could be a path too: whoever asks has seen that there is no such file. */
export function readHubName(text: string): HubReference | undefined {
  const [, repo = '', quantization] = /^([^:]*)(?::([^:]+))?$/.exec(text) ?? [];
  if (!hubName.test(repo) || repo.includes('..') || /\.gguf$/i.test(repo)) return undefined;
  return { kind: 'hub', repo, ...(quantization && { quantization }) };
}

export const hubText = ({ repo, quantization }: HubReference): string =>
  `hf:${repo}${quantization === undefined ? '' : `:${quantization}`}`;
