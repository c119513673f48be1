import type { ErrorCode } from '../errors.ts';
import type { ConstraintSource } from '../output-format/constraint-source.ts';
import type { Token } from '../tokenizer/types.ts';

/** The engine's own number of a request, by which its threads speak of it: the ids of requests may repeat. Counted in `RequestStreams`. */
export type SequenceId = number & { readonly __sequence: never };

/** How the next token is chosen. Absent fields have the neutral value in the comment. */
export interface Sampling {
  /** 0 is greedy. Default 1. */
  temperature?: number | undefined;
  /** Keep the k most likely; 0 and -1 keep all. Default 0. */
  topK?: number | undefined;
  /** Smallest set whose probability reaches p. Default 1. */
  topP?: number | undefined;
  /** Drop what is less likely than p times the best. Default 0. */
  minP?: number | undefined;
  /** Divides (positive) or multiplies (negative) logits of tokens seen in the last `penaltyWindow`. Default 1. arXiv:1909.05858. */
  repetitionPenalty?: number | undefined;
  /** Subtracted once from tokens generated so far. Default 0. */
  presencePenalty?: number | undefined;
  /** Subtracted per occurrence among the tokens generated so far. Default 0. */
  frequencyPenalty?: number | undefined;
  /** Tokens of context (prompt included) that repetitionPenalty looks at. Default 64; 0 switches it off. */
  penaltyWindow?: number | undefined;
  /**
   * Added to the logits of tokens, from -100 to 100; -100 bans one, as long as another is left. As one array (token, value,
   * token, value …) it goes from thread to thread at once.
   */
  logitBias?: ReadonlyMap<number, number> | ReadonlyArray<readonly [number, number]> | Float64Array | undefined;
  /** Same seed, same text. Random when absent. Any integer of 64 bits, signed or not. */
  seed?: number | bigint | undefined;
}

/**
 * How an answer is made: what whoever asks may say, over HTTP, from the library, a program or a command. A new field of
 * a request begins here.
 */
export interface GenerationSettings {
  readonly sampling: Sampling;
  /** Most tokens of the answer; 0: the prompt is computed, and that is all. Absent: until the model ends it or the context is full. */
  readonly maxTokens?: number | undefined;
  /** Strings that end the text; they are not part of it and may cross token borders. The engine knows nothing of them. */
  readonly stop?: readonly string[] | undefined;
  /** Tokens that end the sequence (not emitted), beside those that the vocabulary names. */
  readonly stopTokens?: readonly Token[] | undefined;
  /** The tokens that the vocabulary names as ends end nothing. The engine knows nothing of it. */
  readonly ignoreEnds?: boolean | undefined;
  /** The control tokens that the model's output format is written with are text. The engine knows nothing of them. */
  readonly markers?: boolean | undefined;
  /** Alternatives to report with each token; absent: no log-probabilities. */
  readonly topLogprobs?: number | undefined;
  /** The same for the tokens of the prompt, but the first: nothing comes before that. Such a prompt is computed whole. */
  readonly promptLogprobs?: number | undefined;
  /** Tokens before which nothing ends the answer, but a constraint that lets nothing else follow. Default 0. */
  readonly minTokens?: number | undefined;
  /** What the answer must be: no token that breaks it is chosen. */
  readonly constraint?: ConstraintSource | undefined;
  /** Higher goes first among the same tenant's. Default 0. */
  readonly priority?: number | undefined;
}

/**
 * A request from its schema to the engine's loop: one object, of which each reads what it needs. The prompt is text (or
 * a chat as a document) until it has been encoded, then tokens. Structured-cloneable.
 */
export interface GenerateRequest<Prompt = readonly Token[]> extends GenerationSettings {
  readonly id: string;
  /** Whose turn and cache this is. */
  readonly tenant: string;
  readonly prompt: Prompt;
  /** Name of the adapter that it runs with. */
  readonly adapter?: string | undefined;
  /** Milliseconds after which it fails with `queue_timeout` if it has not run by then. */
  readonly queueMs?: number | undefined;
  /** What falls to its tenant, as it is now; absent: as the engine's options say. */
  readonly share?: TenantShare | undefined;
  /** An embedding of the tokens is wanted, as the model pools it, instead of more tokens. */
  readonly embed?: boolean | undefined;
  /** With `embed`: the score of a model that ranks is wanted, and comes as an embedding of one number. */
  readonly rank?: boolean | undefined;
  /** The prompt's last so many tokens are the answer's first: constraint, penalties and seed go on behind them. Default 0. */
  readonly answered?: number | undefined;
  /** Which tokens may come next, a bit each, lowest first; it says nothing of later ones. [vocabulary / 32] words */
  readonly firstMask?: Uint32Array | undefined;
  /** Tokens that are guessed to come; checked like any guess, so they change nothing. */
  readonly draft?: readonly Token[] | undefined;
  /** The logits behind the last token are wanted with the end. */
  readonly logits?: boolean | undefined;
  /** Tokens whose log-probabilities are wanted at each of the answer's positions. */
  readonly scoredTokens?: readonly Token[] | undefined;
  /** Another request of the tenant will go on behind this one: its last, unfinished page is kept like full ones. */
  readonly keepsTail?: boolean | undefined;
}

/** It goes with requests, so that it may change from one to the next, and an engine that was started again knows it. */
export interface TenantShare {
  /** Default 1. */
  readonly weight?: number | undefined;
  /** Requests of the tenant that may wait; absent: the engine's default. */
  readonly maxWaiting?: number | undefined;
}

/** What a request for an embedding says. */
export type EmbedRequest = Pick<GenerateRequest, 'id' | 'tenant' | 'prompt' | 'adapter' | 'queueMs' | 'share' | 'rank'>;

export interface TokenLogprob {
  readonly token: Token;
  /** Natural logarithm of the probability under the untouched distribution (temperature 1, no filters). */
  readonly logprob: number;
  readonly top: readonly { readonly token: Token; readonly logprob: number }[];
  /** Of the request's `scoredTokens`, in their order. */
  readonly scores?: readonly number[] | undefined;
}

/** `stop`: an end-of-text token or a stop string; `length`: the most tokens, or the context; `cancelled`: nobody waits any more. */
export type FinishReason = 'stop' | 'length' | 'cancelled';

/** What a request took, in tokens. */
export interface EngineUsage {
  readonly promptTokens: number;
  /** Of those, taken from the prefix cache. */
  readonly cachedTokens: number;
  /** Tokens that were computed: the one that ended the answer counts too, as with OpenAI, vLLM and llama-server. */
  readonly completionTokens: number;
}

/** The one end of an answer that did not fail. */
export interface AnswerEnd {
  readonly kind: 'end';
  readonly reason: FinishReason;
  readonly usage: EngineUsage;
}

/** What an engine says: tokens, and one end or error. `llm/generate.ts` makes text of the tokens; the end stays what it is. */
export type EngineEvent =
  | { readonly kind: 'token'; readonly token: Token; readonly logprob?: TokenLogprob }
  /** Of the prompt's next tokens, from its second one on; before all others. */
  | { readonly kind: 'prompt'; readonly logprobs: readonly TokenLogprob[] }
  | (AnswerEnd & EndValues)
  | EngineFailure;

/** What an end may have to say. */
export interface EndValues {
  /** What was asked for with `logits`. [vocabulary] */
  readonly logits?: Float32Array;
  /** What ended it, where another request goes on behind it: no part of the answer. */
  readonly stopToken?: Token;
  /** What was asked for with `embed`, of length 1: [width]; with `rank`, a probability: [1] */
  readonly embedding?: Float32Array;
  /** Of the token that ended an answer whose prompt's are wanted too: whoever scores texts counts it. */
  readonly logprob?: TokenLogprob | undefined;
}

/** Whether nothing comes behind it. */
export const isLast = ({ kind }: EngineEvent): boolean => kind === 'end' || kind === 'error';

/** The end of one that was cancelled before an engine began with it. */
export function neverBegun({ prompt }: Pick<GenerateRequest, 'prompt'>): EngineEvent {
  const usage = { promptTokens: prompt.length, cachedTokens: 0, completionTokens: 0 };
  return { kind: 'end', reason: 'cancelled', usage };
}

/** What one step has to say, to all requests: [number of the request, event]. */
export type EventBatch = readonly (readonly [id: SequenceId, event: EngineEvent])[];

/** A RealmError as it crosses threads. */
export interface EngineFailure {
  readonly kind: 'error';
  readonly code: ErrorCode;
  readonly message: string;
  /** Field of the request at fault. */
  readonly param?: string | undefined;
  /** Seconds after which another try makes sense (`queue_full`). */
  readonly retryAfter?: number | undefined;
  /** The system's own words, which may name files: for the log. */
  readonly detail?: string | undefined;
}
