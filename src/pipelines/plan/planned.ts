import type { ErrorCode } from '../../errors.ts';
import type { Expression } from '../cel/expression.ts';
import type { PipelineHost, StepCall } from '../host.ts';
import type { Validator } from '../schema/validator.ts';
import type { Step } from '../step.ts';
import type { Values } from './values.ts';

/** What a step may use while it runs. */
export interface StepContext {
  readonly values: Values;
  /** Which try it is, from 0. */
  readonly attempt: number;
  readonly signal: AbortSignal;
  /** Calls the host; waits for a place where a run makes as many calls at once as it may. */
  call<T>(work: (host: PipelineHost, call: StepCall) => Promise<T>): Promise<T>;
  /** Runs the steps of an item of a map. Throws what one of them failed with. */
  runItem(item: MapItem): Promise<void>;
}

export interface MapItem {
  readonly steps: readonly PlannedStep[];
  readonly values: Values;
  readonly index: number;
  /** The map goes on without it if it fails. */
  readonly isCaught: boolean;
  readonly signal: AbortSignal;
}

/** A checked step that can be run. */
export interface PlannedStep extends Step {
  readonly when?: Expression | undefined;
  readonly retry?: Retry | undefined;
  readonly rescue?: Rescue | undefined;
  /** Of each try. */
  readonly timeoutMs?: number | undefined;
  readonly validator?: Validator | undefined;
  run(context: StepContext): Promise<unknown>;
}

export interface Retry {
  /** Absent: whatever fails. */
  readonly on?: readonly ErrorCode[] | undefined;
  readonly max: number;
  /** Milliseconds before the first; each waits `factor` times as long as the one before. */
  readonly delayMs: number;
  readonly factor: number;
}

/** `catch` of a step. */
export interface Rescue {
  readonly on?: readonly ErrorCode[] | undefined;
  /** Its output then, given the values with `error`. */
  value(values: Values): unknown;
}

/** What a run needs of a checked pipeline. */
export interface Plan {
  readonly input: Validator;
  readonly steps: readonly PlannedStep[];
  readonly output: { value(values: Values): unknown };
  /** Of a whole run. */
  readonly timeoutMs?: number | undefined;
}
