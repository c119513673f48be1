import type { EngineUsage, FinishReason } from '../engine/request.ts';
import type { ChatMessage } from '../tokenizer/types.ts';
import type { RequestOptions, SamplingOptions } from './options.ts';

/**
 * What a program is run on: a chat (a text is one message of a user), with tools in the shape of Chat Completions where the
 * answer may call some; a text to go on with; or a call, any JSON.
 */
export type ProgramInput =
  | string
  | { readonly messages: readonly ChatMessage[]; readonly tools?: readonly Readonly<Record<string, unknown>>[] }
  | { readonly prompt: string }
  | { readonly input: unknown };

/** A function of yours that programs may call; what it returns or resolves to is turned into JSON. */
export type ProgramTool = (input: unknown, signal: AbortSignal) => unknown;

/** What a run may use. What is left open is as a server has it. */
export interface ProgramLimits {
  /** What it computes, about one unit an instruction. Default 2,000,000,000. */
  readonly fuel?: number;
  /** Megabytes of memory. Default 64. */
  readonly memoryMb?: number;
  /** Milliseconds from its beginning to its end, the model's time included. Default 600,000. */
  readonly deadlineMs?: number;
  /** Calls of the host. Default 100,000. */
  readonly hostCalls?: number;
  /** Bytes of all that it says. Default 4 MiB. */
  readonly outputBytes?: number;
  /** Runs at once; further ones wait. Default 16. */
  readonly runs?: number;
  /** Sequences at once. Default 64. */
  readonly sequences?: number;
  /** Forks in all. Default 256. */
  readonly forks?: number;
  /** Open tickets. Default 64. */
  readonly tickets?: number;
  /** Sequences that are saved for later runs, until the model is closed. Default 64. */
  readonly savedSequences?: number;
  /** Their bytes together. Default 16 MiB. */
  readonly savedBytes?: number;
}

/** How a program is run. The sampling holds where the program says nothing. */
export interface RunOptions extends RequestOptions, SamplingOptions {
  /** Most tokens of the answer, for the program to heed. Default: what the context leaves. */
  readonly maxTokens?: number;
  /** Higher goes first among the same tenant's, from -1000 to 1000. Default 0. */
  readonly priority?: number;
  /** What the run may use. */
  readonly limits?: ProgramLimits;
  /** The tools that the program may call by itself, by their names. Default: none. */
  readonly tools?: Readonly<Record<string, ProgramTool>>;
  /** Hears what the program writes to the log. */
  readonly onLog?: (level: 'debug' | 'info' | 'warn' | 'error', text: string) => void;
}

/**
 * A piece of what a program says: text, thoughts, a call of a tool, or an event. A call's beginning has its id and its name; what
 * follows adds to the JSON of its arguments.
 */
export type RunChunk =
  | { readonly kind: 'text' | 'reasoning'; readonly text: string }
  | {
      readonly kind: 'call';
      /** Of the call in the answer. */
      readonly index: number;
      readonly id?: string;
      readonly name?: string;
      readonly arguments: string;
    }
  | { readonly kind: 'event'; readonly event: unknown };

/** All that a program said, and what it took. */
export interface RunAnswer {
  readonly text: string;
  /** Thoughts before the answer. */
  readonly reasoning: string;
  /** Calls of tools that the caller is to make. */
  readonly calls: readonly ToolCall[];
  /** How the last call of the model ended; `cancelled`: the reader left. */
  readonly finishReason: FinishReason;
  /** Of all calls of the model, in tokens; what a sequence has in common with an earlier one counts once. */
  readonly usage: EngineUsage;
  /** What the program computed. */
  readonly fuel: number;
  /** Bytes of its memory at the end. */
  readonly memory: number;
}

/** A call of a tool in an answer. */
export interface ToolCall {
  readonly id: string;
  readonly name: string;
  /** JSON. */
  readonly arguments: string;
}
