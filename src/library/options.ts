import type { DeviceChoice } from '../backend/device.ts';
import type { Sampling } from '../engine/request.ts';
import type { ChatOptions as TemplateOptions } from '../tokenizer/types.ts';

/** `gpu:1` is the second GPU. */
export type Device = DeviceChoice;

/** How far a download or the loading of weights is, in bytes. */
export interface LoadProgress {
  readonly phase: 'download' | 'load';
  readonly done: number;
  /** 0: the server does not say. */
  readonly total: number;
}

/** How {@link loadModel} loads a model; everything has a default. */
export interface LoadOptions {
  /** Most tokens of a prompt and its answer together. Default: what the model was trained for, as far as the free memory reaches. */
  readonly context?: number;
  /** Compute threads. Default: the processors that this process may use. */
  readonly threads?: number;
  /** Where it is computed: on a GPU where there is one that passes the self-test, else on the CPU (`auto`); `cpu`; `gpu`, `gpu:1`. Default `auto`. */
  readonly device?: Device;
  /** On a GPU the last so many layers, the others on the CPU; 0: none. Default: as many as fit. */
  readonly gpuLayers?: number;
  /** Tokens that the cache of keys and values holds over all requests. Default: four contexts, at most 1 GiB, at least one context. */
  readonly kvTokens?: number;
  /** What that cache holds: Q8_0 takes a bit over half of F16's memory. Default F16. */
  readonly kvType?: 'F16' | 'Q8_0';
  /** System prompt of chats that bring none. Default: what the catalog recommends, if anything. */
  readonly system?: string;
  /** A chat template (Jinja), in the place of the file's. */
  readonly chatTemplate?: string;
  /** Sampling of requests that do not say. Default: what the catalog recommends, or else the file. */
  readonly sampling?: SamplingOptions;
  /** A smaller model of the same vocabulary, which guesses tokens: a catalog name or a path. It changes no answer. */
  readonly draft?: string | undefined;
  /** `lookup`: guess tokens that repeat the prompt; it changes no answer. `off`: only what a constraint forces. Default `lookup`. */
  readonly speculation?: 'off' | 'lookup';
  /** How long requests that stream wait in a step for others' prompts, in milliseconds. Default 40. */
  readonly prefillMs?: number;
  /** The same for the only, short prompt of a tenant that was served least, so that its first token comes sooner. Default 200. */
  readonly firstPrefillMs?: number;
  /** How long a token may wait to be handed out with others, in milliseconds. Default 40. */
  readonly streamMs?: number;
  /** Who shares the model, where weights or queues differ from the default. */
  readonly tenants?: readonly TenantShare[];
  /** A folder for saved sessions, which is made where it is missing. Without it there are none. */
  readonly sessions?: string;
  /** Hears how far downloads and loading are. */
  readonly onProgress?: (progress: LoadProgress) => void;
  /** Hears of what is wrong with the file and can be lived with. */
  readonly onWarning?: (message: string) => void;
  /** Aborted: {@link loadModel} ends with `request_cancelled`, and nothing stays loaded. */
  readonly signal?: AbortSignal;
}

/** One of those who share a model. */
export interface TenantShare {
  readonly id: string;
  /** Its share of the model beside others that want it too. Default 1. */
  readonly weight?: number;
  /** Its requests that may wait. Default 1024. */
  readonly maxQueued?: number;
}

/** Whose request it is, and what it may cost. */
export interface RequestOptions {
  /** Name of a loaded adapter. Default: the model as it is. */
  readonly adapter?: string;
  /** Whose request it is: tenants share the model fairly, and none sees another's cache. Default `default`. */
  readonly tenant?: string;
  /** Milliseconds that it may wait for its turn before it fails with `queue_timeout`. Default: no limit. */
  readonly queueMs?: number;
  /** Aborted: it ends with `request_cancelled`, and everything that it held is free. */
  readonly signal?: AbortSignal;
}

/** How the next token is chosen: what is left open is as the model was loaded, and else neutral. */
export interface SamplingOptions extends Readonly<Omit<Sampling, 'logitBias'>> {
  /** Added to the logits of tokens, by their ids, from -100 to 100; -100 bans one, as long as another is left. */
  readonly logitBias?: ReadonlyMap<number, number>;
}

/**
 * What an answer must be, from its first token to its last. A JSON Schema, by which the answer is a JSON text; a regular
 * expression that the whole text matches; a grammar in llama.cpp's GBNF, whose rule `root` it is; or one of some texts.
 */
export type Constraint =
  | { readonly schema: Readonly<Record<string, unknown>> | boolean }
  | { readonly regex: string }
  | { readonly grammar: string }
  | { readonly choice: readonly string[] };

/** How an answer is made. Numbers out of range are refused with `invalid_request`. */
export interface GenerateOptions extends RequestOptions, SamplingOptions {
  /** Most tokens of the answer. Default: what the context leaves. */
  readonly maxTokens?: number;
  /**
   * What the answer must be: no token that breaks it is chosen. What cannot be enforced is refused with `schema_unsupported`,
   * `grammar_invalid` or `grammar_limit`. An answer that `maxTokens` cuts off is a beginning only: see its `finishReason`.
   */
  readonly constraint?: Constraint;
  /** Strings that end the answer and are not part of it. */
  readonly stop?: string | readonly string[];
  /** Log-probabilities: `true` for each token's own, a number (0 to 20) for so many alternatives beside it. Default `false`. */
  readonly logprobs?: boolean | number;
  /** Higher goes first among the same tenant's, from -1000 to 1000. Default 0. */
  readonly priority?: number;
  /** Name of a session: what it saved is restored before the answer, if there is any, and all is saved after it. */
  readonly session?: string;
}

/** How a chat is written for the model and answered. */
export interface ChatOptions extends GenerateOptions, Omit<TemplateOptions, 'tools'> {
  /** Read control tokens in messages as if the template had written them. Default `false`: they are ordinary text. */
  readonly parseSpecial?: boolean;
}

/** How texts are embedded. */
export interface EmbedOptions extends RequestOptions {
  /** Read control tokens in the texts. Default `false`. */
  readonly parseSpecial?: boolean;
}
