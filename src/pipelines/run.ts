import { RealmError } from '../errors.ts';
import type { PipelineHost } from './host.ts';
import { Values } from './plan/values.ts';
import { errorOf, StepFailure } from './run/failure.ts';
import { Runner } from './run/runner.ts';
import { within } from './run/time.ts';
import type { Pipeline, RunOptions } from './types.ts';

/**
 * The output of a run. Throws `invalid_request` for an input that is not the pipeline's, `request_cancelled` when it was
 * cancelled, `deadline_exceeded` when it took too long, and `pipeline_failed` with the step's name and the code of its
 * failure. Nothing runs any more by then, if the host's calls end when their signals say so.
 */
export async function runPipeline(
  pipeline: Pipeline,
  input: unknown,
  host: PipelineHost,
  options: RunOptions = {},
): Promise<unknown> {
  const { plan, name } = pipeline;
  const given = checkInput(pipeline, input);
  const outer = options.signal ?? new AbortController().signal;
  const values = new Values();
  values.set('input', given, plan.input.schema);
  try {
    return await within(plan.timeoutMs, outer, `the pipeline '${name}'`, async signal => {
      signal.throwIfAborted();
      await new Runner(host, options).run(plan.steps, values, signal);
      return plan.output.value(values);
    });
  } catch (error) {
    if (outer.aborted)
      throw new RealmError('request_cancelled', `the run of '${name}' was cancelled`, { cause: error });
    if (error instanceof StepFailure) {
      throw new RealmError('pipeline_failed', `pipeline '${name}': ${error.message}`, {
        param: error.step,
        cause: error.error,
      });
    }
    const { code, message } = errorOf(error);
    throw new RealmError(code, code === 'pipeline_failed' ? `pipeline '${name}': ${message}` : message, {
      cause: error,
    });
  }
}

function checkInput({ plan, name }: Pipeline, input: unknown): unknown {
  const found = plan.input.check(input);
  if ('value' in found) return found.value;
  const param = found.path === '' ? 'input' : `input.${found.path}`.replace('.[', '[');
  throw new RealmError('invalid_request', `${param}: ${found.problem} (pipeline '${name}')`, { param });
}
