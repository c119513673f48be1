import type { ConstraintSource } from '../output-format/constraint-source.ts';

/**
 * What a pipeline asks of whoever runs it. What fails throws a RealmError, whose code `retry` and `catch` compare. Calls
 * end soon after their signal is aborted: a run waits for all that it has begun.
 */
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
