import type { MemoryStats } from '../backend/backend.ts';
import type { Token } from '../tokenizer/types.ts';
import type { SessionInfo, SessionRequest } from './cache/sessions.ts';
import type { EngineEvent, GenerateRequest } from './request.ts';

/** One loaded model, wherever it runs (this thread, a worker). Safe to call from many requests at once. */
export interface Engine {
  readonly info: EngineInfo;
  /** Aborted when it answers no more; the reason is a RealmError: `engine_failed` (its thread died) or `shutting_down`. */
  readonly ended: AbortSignal;
  /**
   * Submits a request. Ends with exactly one `end` or `error` event. Aborting the signal, or leaving the loop, ends it
   * within one step and frees everything that it held.
   */
  submit(request: GenerateRequest, signal?: AbortSignal): AsyncIterable<EngineEvent>;
  stats(): Promise<EngineStats>;
  /** How it does, without asking its thread; absent: nobody watches it. */
  health?(): EngineHealth;
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
  /** What the context follows from: the model, whoever loaded it, or the memory that there was. */
  readonly contextFrom: 'training' | 'configuration' | 'memory';
  /** Numbers of an embedding. */
  readonly width: number;
  /** What it makes of texts instead of answers; absent: answers, and embeddings too. */
  readonly makes?: 'embeddings' | 'scores' | undefined;
  /** Kernel variant and threads, for logs: `wasm relaxed-simd+revec, 2 threads`. */
  readonly backend: string;
  /** Whether a GPU computes it. */
  readonly onGpu?: boolean;
  /** `cpu`, or the GPU by its place in what `realm doctor` lists, `gpu:0`; some layers may be on the CPU then. */
  readonly device?: string;
  /** What could not be as it was wished, and what was done instead. */
  readonly remarks?: readonly string[];
  /** Bytes of the file. */
  readonly fileSize: number;
  /** How long loading took, in milliseconds. */
  readonly loadMs: number;
}

/** How an engine does, as whoever watches it sees it. */
export interface EngineHealth {
  /** `stuck`: it stands still in the middle of something and is being ended; `restarting`: it died, and another is being opened. */
  readonly state: 'running' | 'stuck' | 'restarting' | 'ended';
  /** How often it was opened again. */
  readonly restarts: number;
  /** `open`: it failed again and again, and requests are refused; `half-open`: one is let through, to see. */
  readonly circuit: CircuitState;
  /** What is given up under pressure: 1, guesses; 2, sessions too. */
  readonly brownOut: BrownOutLevel;
}

export type CircuitState = 'closed' | 'open' | 'half-open';

export type BrownOutLevel = 0 | 1 | 2;

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
  /** How often it died and was opened again; the other figures are of the last time. */
  readonly restarts?: number;
  /** What is given up under pressure, see {@link EngineHealth}. */
  readonly brownOut?: BrownOutLevel;
  readonly memory: EngineMemory;
  /** Of the tenants that have requests now; absent where the engine does not know. */
  readonly tenants?: readonly TenantLoad[] | undefined;
}

/** What a tenant's requests do. */
export interface TenantLoad {
  readonly tenant: string;
  readonly running: number;
  readonly waiting: number;
}

/** What an engine holds, in bytes. */
export interface EngineMemory extends MemoryStats {
  /** The part of the KV cache whose pages have been in use at least once. */
  readonly kvTouched: number;
  /** The heap of the engine's thread, if it has one of its own. */
  readonly heap?: number | undefined;
}
