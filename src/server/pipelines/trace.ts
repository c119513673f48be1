import type { EngineUsage } from '../../engine/request.ts';
import { asRealmError } from '../../errors.ts';
import { addUsage, noUsage } from '../../llm/usage.ts';
import type { Step } from '../../pipelines/step.ts';
import type { Pipeline, PipelineEvent } from '../../pipelines/types.ts';

/** Steps of one run that are told of; of a map's hundreds the first are enough. */
const mostSteps = 500;
/** Longest beginning of an output, in UTF-16 units. */
const outputCharacters = 400;
/** Longest words of a failure. */
const messageCharacters = 500;

type StepState = 'running' | 'complete' | 'skipped' | 'failed' | 'cancelled';

/** What became of a step; of one in a map for each item. */
export interface StepTrace {
  /** `each[3].fix`. */
  readonly step: string;
  readonly kind: Step['kind'];
  /** The model, the program or the tool. */
  readonly target: string | undefined;
  state: StepState;
  /** Milliseconds from the run's beginning to its own. */
  readonly at: number;
  ms: number | undefined;
  retries: number;
  usage: EngineUsage;
  /** Of its last failure, also where a retry helped or a `catch` took it. */
  error: { readonly code: string; readonly message: string } | undefined;
  /** The beginning of its output, as JSON. */
  output: string | undefined;
}

/** A run from its beginning on, as it is kept. */
export class RunTrace {
  readonly id: string;
  readonly tenant: string;
  readonly pipeline: string;
  /** Milliseconds since 1970. */
  readonly began: number;
  readonly steps: StepTrace[] = [];
  /** Steps beyond those that are told of. */
  leftOut = 0;
  state: 'running' | 'complete' | 'failed' | 'cancelled' = 'running';
  ms: number | undefined;
  usage: EngineUsage = noUsage;
  error: StepTrace['error'];
  readonly #kinds: ReadonlyMap<string, Step>;
  readonly #open = new Map<string, StepTrace>();
  readonly #started = performance.now();

  constructor({ id, tenant }: { id: string; tenant: string }, { name, steps }: Pipeline) {
    this.id = id;
    this.tenant = tenant;
    this.pipeline = name;
    this.began = Date.now();
    this.#kinds = new Map(allOf(steps).map(step => [step.id, step]));
  }

  /** What a call of the step's has used. */
  charge(step: string, usage: EngineUsage): void {
    this.usage = addUsage(this.usage, usage);
    const known = this.#open.get(step);
    if (known) known.usage = addUsage(known.usage, usage);
  }

  note(event: PipelineEvent): void {
    const { step, at } = event;
    if (event.kind === 'text') return;
    const known = this.#open.get(step) ?? this.#begin(event);
    switch (event.kind) {
      case 'started':
        return;
      case 'retried':
        known.retries = event.attempt;
        known.error = failure(event);
        return;
      case 'finished':
        known.output = beginningOf(event.output);
        return this.#end(known, 'complete', at);
      case 'skipped':
        return this.#end(known, 'skipped', at);
      case 'failed':
        known.error = failure(event);
        this.#end(known, 'failed', at);
        // A `catch` gives its output next.
        if (event.caught) this.#open.set(step, known);
        return;
      default:
        event satisfies never;
    }
  }

  /** `failed`: with what; absent: it has its output. */
  end(failed?: unknown): void {
    if (this.state !== 'running') return;
    this.ms = Math.round(performance.now() - this.#started);
    if (failed === undefined) this.state = 'complete';
    else {
      const error = asRealmError(failed);
      this.state = error.code === 'request_cancelled' ? 'cancelled' : 'failed';
      this.error = failure(error);
    }
    for (const step of this.#open.values()) if (step.state === 'running') this.#end(step, 'cancelled', this.ms);
  }

  #begin({ step, id, at }: PipelineEvent): StepTrace {
    const known = this.#kinds.get(id);
    const begun: StepTrace = {
      step,
      kind: known?.kind ?? 'template',
      target: known?.target,
      state: 'running',
      at: Math.round(at),
      ms: undefined,
      retries: 0,
      usage: noUsage,
      error: undefined,
      output: undefined,
    };
    if (this.steps.length < mostSteps) this.steps.push(begun);
    else this.leftOut++;
    this.#open.set(step, begun);
    return begun;
  }

  #end(step: StepTrace, state: StepState, at: number): void {
    step.state = state;
    step.ms = Math.max(0, Math.round(at) - step.at);
    this.#open.delete(step.step);
  }
}

function allOf(steps: readonly Step[]): Step[] {
  return steps.flatMap(step => [step, ...allOf(step.steps ?? [])]);
}

function failure({ code, message }: { readonly code: string; readonly message: string }): StepTrace['error'] {
  return { code, message: message.slice(0, messageCharacters) };
}

/** Never all of a large one: it is looked at, not used. */
function beginningOf(output: unknown): string {
  const text = typeof output === 'string' ? output.slice(0, outputCharacters + 1) : output;
  const json = JSON.stringify(text) ?? 'null';
  return json.length > outputCharacters ? `${json.slice(0, outputCharacters)}…` : json;
}
