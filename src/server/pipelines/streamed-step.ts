import { parse } from 'yaml';
import type { Pipeline } from '../../pipelines/types.ts';

/** The id of the model's step whose plain text is the pipeline's output; undefined where the output is made of more. */
export function streamedStep(text: string, { steps }: Pipeline): string | undefined {
  const { output } = parse(text) as { output?: unknown };
  const step = steps.find(({ id }) => typeof output === 'string' && id === output.trim());
  if (step?.kind !== 'model' || typeof step.output === 'boolean') return undefined;
  const { type, enum: choices, const: only } = step.output;
  return type === 'string' && choices === undefined && only === undefined ? step.id : undefined;
}
