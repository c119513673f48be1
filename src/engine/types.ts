import type { MemoryStats } from '../backend/backend.ts';
import type { ErrorCode } from '../errors.ts';
import type { Token } from '../tokenizer/types.ts';
import type { SessionInfo, SessionRequest } from './cache/sessions.ts';

/** How the next token is chosen. Absent fields have the neutral value in the comment. */
export interface Sampling {
  /** 0 is greedy. Default 1. */
  temperature?: number;
  /** Keep the k most likely; 0 keeps all. Default 0. */
  topK?: number;
  /** Smallest set whose probability reaches p. Default 1. */
  topP?: number;
  /** Drop what is less likely than p times the best. Default 0. */
  minP?: number;
  /** Divides (positive) or multiplies (negative) logits of tokens seen in the last `penaltyWindow`. Default 1. arXiv:1909.05858. */
  repetitionPenalty?: number;
  /** Subtracted once from tokens generated so far. Default 0. */
  presencePenalty?: number;
  /** Subtracted per occurrence among the tokens generated so far. Default 0. */
  frequencyPenalty?: number;
  /** Tokens of context (prompt included) that repetitionPenalty looks at. Default 64; 0 switches it off. */
  penaltyWindow?: number;
  /**
   * Added to the logits of tokens, from -100 to 100; -100 bans one, as long as another is left. As one array (token, value,
   * token, value …) it goes from thread to thread at once.
   */
  logitBias?: ReadonlyMap<Token, number> | ReadonlyArray<readonly [Token, number]> | Float64Array;
  /** Same seed, same text. Random when absent. Any integer of 64 bits, signed or not. */
  seed?: number | bigint;
}

/** A request for tokens: what the engine itself understands (no text). Structured-cloneable. */
export interface EngineRequest {
  readonly id: string;
  /** Whose turn and cache this is. */
  readonly tenant: string;
  readonly tokens: readonly Token[];
  readonly maxTokens: number;
  readonly sampling: Sampling;
  /** Tokens that end the sequence (not emitted). */
  readonly stopTokens: readonly Token[];
  /** Alternatives to report with each token; absent: no logprobs. */
  readonly topLogprobs?: number;
  /** Higher goes first among the same tenant's. Default 0. */
  readonly priority?: number;
  /** Milliseconds after which it fails with `queue_timeout` if it has not run by then. */
  readonly queueMs?: number;
  /** Name of the adapter that it runs with. */
  readonly adapter?: string;
  /** An embedding of the tokens is wanted, as the model pools it, instead of more tokens. */
  readonly embed?: boolean;
}

export interface TokenLogprob {
  readonly token: Token;
  /** Natural logarithm of the probability under the untouched distribution (temperature 1, no filters). */
  readonly logprob: number;
  readonly top: readonly { readonly token: Token; readonly logprob: number }[];
}

/** `stop`: an end-of-text token or a stop string; `length`: the most tokens, or the context; `cancelled`: nobody waits any more. */
export type FinishReason = 'stop' | 'length' | 'cancelled';

export type EngineEvent =
  | { readonly kind: 'token'; readonly token: Token; readonly logprob?: TokenLogprob }
  | {
      readonly kind: 'end';
      readonly reason: FinishReason;
      readonly usage: EngineUsage;
      /** What was asked for with `embed`, of length 1. [width] */
      readonly embedding?: Float32Array;
    }
  | EngineFailure;

/** What one step has to say, to all requests: [number of the request, event]. */
export type EventBatch = readonly (readonly [id: number, event: EngineEvent])[];

/** A RealmError as it crosses threads. */
export interface EngineFailure {
  readonly kind: 'error';
  readonly code: ErrorCode;
  readonly message: string;
  /** Field of the request at fault. */
  readonly param?: string;
  /** Seconds after which another try makes sense (`queue_full`). */
  readonly retryAfter?: number;
  /** The system's own words, which may name files: for the log. */
  readonly detail?: string;
}

/** What a request took, in tokens. */
export interface EngineUsage {
  readonly promptTokens: number;
  /** Of those, taken from the prefix cache. */
  readonly cachedTokens: number;
  /** Tokens that were computed: the one that ended the answer counts too, as with OpenAI, vLLM and llama-server. */
  readonly completionTokens: number;
}

/** One loaded model, wherever it runs (this thread, a worker). Safe to call from many requests at once. */
export interface Engine {
  readonly info: EngineInfo;
  /** Aborted when it answers no more; the reason is a RealmError: `engine_failed` (its thread died) or `shutting_down`. */
  readonly ended: AbortSignal;
  /**
   * Submits a request. Ends with exactly one `end` or `error` event. Aborting the signal, or leaving the loop, ends it
   * within one step and frees everything that it held.
   */
  submit(request: EngineRequest, signal?: AbortSignal): AsyncIterable<EngineEvent>;
  stats(): Promise<EngineStats>;
  /**
   * Loads a GGUF adapter while requests go on. Throws `adapter_exists`, `adapter_invalid`, `out_of_memory`, and what is wrong
   * with the file.
   */
  loadAdapter(name: string, path: string): Promise<void>;
  /** No new request gets it from now on; resolves when those that have it have ended. Throws `adapter_not_found`. */
  unloadAdapter(name: string): Promise<void>;
  /**
   * Writes what the tenant's prefix cache holds for the tokens to a file that {@link restoreSession} reads, in another process
   * too. Throws `session_failed`, `adapter_not_found`.
   */
  saveSession(request: SessionRequest, tokens: readonly Token[]): Promise<SessionInfo>;
  /**
   * Puts it back into the tenant's cache, from which a request with the same tokens takes it. Throws `session_not_found`,
   * `session_corrupted`, `session_mismatch` (another tenant, model or adapter), `adapter_not_found`; the cache is as it was then.
   */
  restoreSession(request: SessionRequest): Promise<SessionInfo>;
  close(): Promise<void>;
}

/** What a loaded model is. */
export interface EngineInfo {
  /** GGUF's `general.architecture`. */
  readonly architecture: string;
  /** Tokens. */
  readonly vocabSize: number;
  /** Most tokens of one sequence, prompt and answer together. */
  readonly context: number;
  /** The same, as the model was trained. */
  readonly trainedContext: number;
  /** Numbers of an embedding. */
  readonly width: number;
  /** Kernel variant and threads, for logs: `wasm relaxed-simd+revec, 2 threads`. */
  readonly backend: string;
  /** Bytes of the file. */
  readonly fileSize: number;
  /** How long loading took, in milliseconds. */
  readonly loadMs: number;
}

/** What an engine does now, and has done since it was loaded. */
export interface EngineStats {
  /** Requests that are being computed. */
  readonly running: number;
  /** Requests that wait for their first step. */
  readonly waiting: number;
  /** Pages of the KV cache. */
  readonly pagesTotal: number;
  readonly pagesUsed: number;
  /** Of those, the ones that no request uses: they keep prefixes for later ones. */
  readonly pagesCached: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** Tokens that were guessed, and those of them that were right. */
  readonly draftedTokens: number;
  readonly acceptedTokens: number;
  readonly steps: number;
  /** Of those, the ones that were preempted for a tenant that had come meanwhile. */
  readonly preemptedSteps: number;
  readonly memory: EngineMemory;
}

/** What an engine holds, in bytes. */
export interface EngineMemory extends MemoryStats {
  /** The part of the KV cache whose pages have been in use at least once. */
  readonly kvTouched: number;
  /** The heap of the engine's thread, if it has one of its own. */
  readonly heap?: number;
}
