import type { GenerateRequest, Sampling } from '../engine/request.ts';
import type { ModelId } from './model-id.ts';
import type { SequenceHost } from './v2/types.ts';

/** A request's fields as the guest sees them (GenOptions: C layout, 40 bytes, little endian); see docs/program-abi.md. */
export interface GenOptions
  extends Said<GenerateRequest, 'maxTokens'>,
    Said<Sampling, 'temperature' | 'topP' | 'topK' | 'repetitionPenalty'> {
  /** 0: random. */
  seed: bigint;
  stopTokens: readonly number[];
}

/** Fields that a guest always has. */
type Said<T, K extends keyof T> = { -readonly [key in K]-?: NonNullable<T[key]> };

/** What a program may ask of the host. Every call runs on the main thread, for one request. Errors thrown become error codes in the guest. */
export interface ProgramHost {
  /**
   * Generates from `prompt`; `onText` gets the answer's text token by token, and may answer with a promise of room for
   * more, or throw when it has enough. In a chat request the prompt is the JSON `{"messages": [...]}` (anything else is
   * taken as one user message) and the host applies the chat template; in a completion request it is plain text.
   * `options` are those that the guest altered from what it was given; the others keep the request's full precision.
   */
  generate(
    call: { modelId: ModelId; prompt: string; options: Partial<GenOptions>; adapter?: string | undefined },
    signal: AbortSignal,
    onText: (text: string) => Promise<void> | undefined,
  ): Promise<void>;
  encode(modelId: ModelId, text: string): Promise<readonly number[] | Int32Array>;
  decode(modelId: ModelId, tokens: Uint32Array): Promise<string>;
  /** JSON for realm_get_model_metadata. */
  metadata(modelId: ModelId): string | Promise<string>;
  /** The model of that name. Throws `model_not_found`. */
  find?(name: string): Promise<ModelId>;
  /** Throws `adapter_not_found` for what the model does not have for the tenant. */
  checkAdapter?(modelId: ModelId, name: string): Promise<void>;
  /** What programs of ABI v2 ask beside it; absent: they are refused. */
  readonly sequences?: SequenceHost | undefined;
}

/** A validated tenant program. */
export interface Program {
  readonly name: string;
  /** SHA-256 of the .wasm, hex. */
  readonly digest: string;
  /** Built-in programs share a thread of the server; tenants' own are metered, and share processes. */
  readonly trusted: boolean;
}

/** What the operator allows the runs of a tenant's program beside memory and time. */
export interface RunLimits {
  /** Instructions of one run, about: see `fuel/`. */
  readonly fuel: number;
  /** Calls to the host that wait for its answer. */
  readonly hostCalls: number;
  /** All that one run may say. */
  readonly outputBytes: number;
  /** At once; the tenant's others wait for their turn. */
  readonly runs: number;
  /** Of ABI v2: what one run may hold at once. */
  readonly sequences: number;
  readonly forks: number;
  readonly tickets: number;
  /** Of ABI v2: what all of a tenant's runs have saved for later ones. */
  readonly savedSequences: number;
  readonly savedBytes: number;
}

export interface ProgramLimits extends RunLimits {
  readonly memoryMb: number;
  /** Wall-clock for the whole call, host computing included. */
  readonly deadlineMs: number;
  /** Longest stretch of a built-in program's own computing between two host calls; a tenant's own gives way by itself. */
  readonly sliceMs: number;
}

/** What a request is for a program: a chat (the prompt is its document), a completion (a text), or a call (any JSON). */
export type RunKind = 'chat' | 'completion' | 'call';

export interface ProgramCall extends Pick<GenerateRequest<string>, 'tenant' | 'prompt'> {
  readonly program: Program;
  /** The tenant's: its share of the place where the program runs. Default: 1. */
  readonly weight?: number | undefined;
  /** For programs of ABI v2. Default: `chat`. */
  readonly kind?: RunKind | undefined;
  readonly limits: ProgramLimits;
  readonly modelId: ModelId;
  readonly options: GenOptions;
  readonly host: ProgramHost;
  /** How long a short piece of its text may wait for others. Default: 40. */
  readonly streamMs?: number | undefined;
  readonly signal: AbortSignal;
  /** Called once when the run has ended, which may be after its caller has gone; never when its process was lost. */
  used?(use: { readonly fuel: number; readonly memory: number }): void;
}

export interface LoadOptions {
  /** It comes with Realm: a thread of the server will do. */
  readonly trusted?: boolean;
  /** It does what the default program does, so the host does it instead: see `DirectRun`. */
  readonly direct?: boolean;
  /** What calls will state in `limits.memoryMb`: a program that starts with more is refused here rather than at its first call. Default 64. */
  readonly memoryMb?: number;
}

export interface Sandbox {
  /** Checks a program's bytes and compiles it: `program_invalid` says what is wrong. */
  load(name: string, bytes: Uint8Array, options?: LoadOptions): Promise<Program>;
  /**
   * Runs a program's `generate` in an instance of its own; yields the text that it streams. Throws RealmError
   * `program_trapped`, `program_out_of_memory`, `program_out_of_fuel`, `program_deadline`, `program_failed`, `request_cancelled`.
   * An error that host.generate threw is thrown again unchanged when it ended the program.
   */
  run(call: ProgramCall): AsyncIterable<string>;
  stats(): SandboxStats;
  close(): Promise<void>;
}

/** The processes of tenants' own programs. */
export interface SandboxStats {
  readonly processes: number;
  /** In these processes now, and those that wait for a place. */
  readonly runs: number;
  readonly waiting: number;
  /** Of programs of ABI v2, which the host has not ended yet. */
  readonly submissions: number;
  readonly residentBytes: number;
  /** Of all of them, ended ones too. */
  readonly cpuMs: number;
}
