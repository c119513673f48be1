import { RealmError } from '../../errors.ts';
import { loadPipeline } from '../load.ts';
import { runPipeline } from '../run.ts';
import type { PipelineEvent, RunOptions } from '../types.ts';
import { type Script, scriptedHost } from './scripted-host.ts';

export interface Told {
  readonly value?: unknown;
  readonly error?: RealmError;
  readonly events: readonly PipelineEvent[];
  /** `step kind` of each event. */
  readonly told: readonly string[];
}

/** How a document runs on such a host. */
export async function runScripted(
  text: string,
  script: Script,
  input: unknown = {},
  options: RunOptions = {},
): Promise<Told> {
  const events: PipelineEvent[] = [];
  const onEvent = (event: PipelineEvent) => {
    events.push(event);
    return undefined;
  };
  const settled = await runPipeline(loadPipeline(text, { file: 'p.yaml' }), input, scriptedHost(script), {
    onEvent,
    ...options,
  }).then(
    value => ({ value }),
    (error: unknown) => {
      if (error instanceof RealmError) return { error };
      throw error;
    },
  );
  return { ...settled, events, told: events.map(({ step, kind }) => `${step} ${kind}`) };
}
