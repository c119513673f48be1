import { RealmError } from '../errors.ts';
import type { Pipeline, PipelineHost, RunOptions } from './types.ts';

/**
 * The output of a run. Throws `invalid_request` for an input that is not the pipeline's, `request_cancelled` when it was
 * cancelled, `pipeline_failed` with the step's name and the code of its failure; nothing runs any more by then.
 */
export async function runPipeline(
  pipeline: Pipeline,
  _input: unknown,
  _host: PipelineHost,
  _options: RunOptions = {},
): Promise<unknown> {
  throw new RealmError('pipeline_failed', `pipeline '${pipeline.name}' cannot be run yet`);
}
