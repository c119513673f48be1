import type { ErrorCode } from '../errors.ts';
import type { ConstraintSource } from '../output-format/constraint-source.ts';
import type { JsonSchema } from './schema/types.ts';
import type { Step } from './step.ts';

/** A checked plan: every name in it is known, every reference goes to what comes before. It can be run many times at once. */
export interface Pipeline {
  readonly name: string;
  readonly description?: string | undefined;
  /** What the input must be. */
  readonly input: JsonSchema;
  readonly steps: readonly Step[];
  /** The document's own text of the expression that makes the output. */
  readonly output: string;
  /** What it asks its host for, each name once: to be compared with what there is. */
  readonly uses: {
    readonly models: readonly string[];
    readonly programs: readonly string[];
    readonly tools: readonly string[];
  };
}

/** What a pipeline asks of whoever runs it. What fails throws a RealmError, whose code `retry` and `catch` compare. */
export interface PipelineHost {
  /** The whole text of a model's answer. */
  generate(request: ModelRequest, call: StepCall): Promise<string>;
  /** The text that a program answers with. */
  runProgram(name: string, input: unknown, call: StepCall): Promise<string>;
  /** A tool may be another pipeline: that is the host's to know, and to hold `call.depth` to a limit. */
  callTool(name: string, input: unknown, call: StepCall): Promise<unknown>;
}

export interface ModelRequest {
  readonly model: string;
  /** A chat. */
  readonly messages?:
    | readonly { readonly role: 'system' | 'user' | 'assistant'; readonly content: string }[]
    | undefined;
  /** In its place, a text to go on with. */
  readonly completion?: string | undefined;
  /** What decoding is held to; absent: any text. */
  readonly constraint?: ConstraintSource | undefined;
  readonly settings: ModelSettings;
}

/** With the names and bounds of the HTTP API; absent: the model's own. */
export interface ModelSettings {
  readonly max_tokens?: number | undefined;
  readonly min_tokens?: number | undefined;
  readonly temperature?: number | undefined;
  readonly top_p?: number | undefined;
  readonly top_k?: number | undefined;
  readonly min_p?: number | undefined;
  readonly repetition_penalty?: number | undefined;
  readonly presence_penalty?: number | undefined;
  readonly frequency_penalty?: number | undefined;
  readonly seed?: number | undefined;
  readonly stop?: readonly string[] | undefined;
  readonly adapter?: string | undefined;
}

/** One call of the host. */
export interface StepCall {
  /** `each[3].fix`: the step, and the items of the maps that it stands in. */
  readonly step: string;
  /** Aborted when the run is cancelled, a step beside it fails, or its time is over. */
  readonly signal: AbortSignal;
  /** Pipelines that this one was called by, as their tool. */
  readonly depth: number;
  /** Text as it comes. Whoever can be held back waits for the promise. */
  readonly onText: (text: string) => Promise<void> | undefined;
}

export interface RunOptions {
  readonly signal?: AbortSignal | undefined;
  /** The run goes on when what it gives back is settled; it must not throw. */
  readonly onEvent?: ((event: PipelineEvent) => Promise<void> | undefined) | undefined;
  /** See {@link StepCall.depth}. Default 0. */
  readonly depth?: number | undefined;
  /** Milliseconds that only grow. Default performance.now. */
  readonly clock?: (() => number) | undefined;
}

/** What happens in a run, in order. `text` that came before a `retried` does not count. */
export type PipelineEvent = {
  /** `each[3].fix`, as in {@link StepCall.step}. */
  readonly step: string;
  readonly id: string;
  /** Places of the items of the maps around it, outermost first. */
  readonly items: readonly number[];
  /** Milliseconds since the run began. */
  readonly at: number;
} & (
  | { readonly kind: 'started' }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'finished'; readonly output: unknown }
  /** Its `when` was false; its output is null. */
  | { readonly kind: 'skipped' }
  | {
      readonly kind: 'retried';
      readonly code: ErrorCode;
      readonly message: string;
      /** Which retry, from 1. */
      readonly attempt: number;
      readonly delayMs: number;
    }
  | {
      readonly kind: 'failed';
      readonly code: ErrorCode;
      readonly message: string;
      /** Its `catch` took it, or the map around it skips the item: the run goes on. */
      readonly caught: boolean;
    }
);
