import type { ErrorCode } from '../errors.ts';
import type { Plan } from './plan/planned.ts';
import type { JsonSchema } from './schema/types.ts';
import type { Step } from './step.ts';

export type { ModelRequest, ModelSettings, PipelineHost, StepCall } from './host.ts';

/** A checked plan: every name in it is known, every reference goes to what comes before. It can be run many times at once. */
export interface Pipeline {
  readonly name: string;
  readonly description?: string | undefined;
  /** What the input must be. */
  readonly input: JsonSchema;
  readonly steps: readonly Step[];
  /** What its output is, as far as that is known. */
  readonly output: JsonSchema;
  /** The step whose output it is, where it is just that. */
  readonly outputStep?: string | undefined;
  /** What it asks its host for, each name once: to be compared with what there is. */
  readonly uses: {
    readonly models: readonly string[];
    readonly programs: readonly string[];
    readonly tools: readonly string[];
  };
  /** How it runs; for `runPipeline` alone. */
  readonly plan: Plan;
}

export interface RunOptions {
  readonly signal?: AbortSignal | undefined;
  /** The run goes on when what it gives back is settled; it must not throw. */
  readonly onEvent?: ((event: PipelineEvent) => Promise<void> | undefined) | undefined;
  /** Pipelines that this one was called by, as their tool. Default 0. */
  readonly depth?: number | undefined;
  /** Milliseconds that only grow. Default performance.now. */
  readonly clock?: (() => number) | undefined;
}

/** What happens in a run, in order. `text` that came before a `retried` does not count. */
export type PipelineEvent = {
  /** `each[3].fix`: the step, and the items of the maps that it stands in. */
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
