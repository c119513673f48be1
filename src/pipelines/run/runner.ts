import type { RealmError } from '../../errors.ts';
import type { PipelineHost } from '../host.ts';
import { pipelineLimits } from '../limits.ts';
import type { MapItem, PlannedStep, StepContext } from '../plan/planned.ts';
import { Values } from '../plan/values.ts';
import { orNull } from '../schema/parts.ts';
import type { PipelineEvent, RunOptions } from '../types.ts';
import { checkOutput } from './check-output.ts';
import { errorOf, isMeant, StepFailure } from './failure.ts';
import { Gate } from './gate.ts';
import { runSteps } from './steps.ts';
import { pause, within } from './time.ts';

/** Where a step stands in a run. */
interface Place {
  /** `each[3].`, or nothing. */
  readonly prefix: string;
  readonly items: readonly number[];
  readonly values: Values;
  /** A map around it goes on without what fails. */
  readonly isCaught: boolean;
}

/** What happens to a step; the rest of an event is where and when. */
type Happening = PipelineEvent extends infer E
  ? E extends unknown
    ? Omit<E, 'step' | 'id' | 'items' | 'at'>
    : never
  : never;

/** One run of a pipeline. */
export class Runner {
  readonly #host: PipelineHost;
  readonly #depth: number;
  readonly #onEvent: RunOptions['onEvent'];
  readonly #clock: () => number;
  readonly #began: number;
  readonly #gate = new Gate(pipelineLimits.fanOut);

  constructor(host: PipelineHost, { depth = 0, onEvent, clock = () => performance.now() }: RunOptions) {
    this.#host = host;
    this.#depth = depth;
    this.#onEvent = onEvent;
    this.#clock = clock;
    this.#began = clock();
  }

  /** Their outputs are among the values then. Throws what one of them failed with. */
  async run(steps: readonly PlannedStep[], values: Values, signal: AbortSignal): Promise<void> {
    await this.#runAll(steps, { prefix: '', items: [], values, isCaught: false }, signal);
  }

  async #runAll(steps: readonly PlannedStep[], place: Place, signal: AbortSignal): Promise<void> {
    await runSteps(steps, signal, (step, inner) => this.#step(step, place, inner));
  }

  async #step(step: PlannedStep, place: Place, signal: AbortSignal): Promise<void> {
    const output = await this.#outputOf(step, place, signal);
    place.values.set(step.id, output, step.nullable ? orNull(step.output) : step.output);
  }

  async #outputOf(step: PlannedStep, place: Place, signal: AbortSignal): Promise<unknown> {
    const tell = (what: Happening) => this.#tell(step, place, what);
    try {
      if (step.when && !step.when.test(place.values.cel)) {
        await tell({ kind: 'skipped' });
        return null;
      }
      await tell({ kind: 'started' });
      const output = await this.#tries(step, place, signal);
      await tell({ kind: 'finished', output });
      return output;
    } catch (error) {
      // Others have failed, or the run is over: this is no failure of the step's own.
      if (signal.aborted) throw error;
      const cause = errorOf(error);
      const rescued = this.#rescue(step, place, cause);
      const caught = rescued !== undefined || place.isCaught;
      await tell({ kind: 'failed', code: cause.code, message: cause.message, caught });
      if (!rescued) throw error instanceof StepFailure ? error : new StepFailure(place.prefix + step.id, cause);
      await tell({ kind: 'finished', output: rescued.output });
      return rescued.output;
    }
  }

  #rescue({ rescue }: PlannedStep, place: Place, { code, message }: RealmError): { output: unknown } | undefined {
    if (!rescue || !isMeant(code, rescue.on)) return undefined;
    const values = new Values(place.values);
    values.set('error', { code, message }, true);
    return { output: rescue.value(values) };
  }

  async #tries(step: PlannedStep, place: Place, signal: AbortSignal): Promise<unknown> {
    const { retry, timeoutMs } = step;
    for (let attempt = 0; ; attempt++) {
      try {
        const what = `the step '${place.prefix}${step.id}'`;
        const made = await within(timeoutMs, signal, what, inner =>
          step.run(this.#context(step, place, attempt, inner)),
        );
        return checkOutput(step, made);
      } catch (error) {
        const { code, message } = errorOf(error);
        if (signal.aborted || !retry || attempt >= retry.max || !isMeant(code, retry.on)) throw error;
        const delayMs = Math.min(retry.delayMs * retry.factor ** attempt, pipelineLimits.delay);
        await this.#tell(step, place, { kind: 'retried', code, message, attempt: attempt + 1, delayMs });
        await pause(delayMs, signal);
      }
    }
  }

  #context(step: PlannedStep, place: Place, attempt: number, signal: AbortSignal): StepContext {
    const path = place.prefix + step.id;
    return {
      values: place.values,
      attempt,
      signal,
      call: work =>
        this.#gate.through(async () => {
          signal.throwIfAborted();
          const onText = (text: string) => this.#tell(step, place, { kind: 'text', text });
          const made = await work(this.#host, { step: path, signal, depth: this.#depth, onText });
          signal.throwIfAborted();
          return made;
        }),
      runItem: ({ steps, values, index, isCaught, signal: inner }: MapItem) => {
        const items = [...place.items, index];
        const caught = isCaught || place.isCaught;
        return this.#runAll(steps, { prefix: `${path}[${index}].`, items, values, isCaught: caught }, inner);
      },
    };
  }

  #tell({ id }: PlannedStep, { prefix, items }: Place, what: Happening): Promise<void> | undefined {
    const at = this.#clock() - this.#began;
    return this.#onEvent?.({ step: prefix + id, id, items, at, ...what } as PipelineEvent);
  }
}
