import { z } from 'zod';
import { optional } from '../fields.ts';

/** Longest input, as JSON text in UTF-16 units. */
export const longestInput = 1 << 20;

/** `POST /v1/pipelines/{name}`. The pipeline's own schema judges the input. */
export const runPipelineSchema = z.strictObject({
  input: z
    .unknown()
    .optional()
    .refine(value => (JSON.stringify(value)?.length ?? 0) <= longestInput, {
      error: `must have at most ${longestInput} characters as JSON`,
    }),
  stream: optional(z.boolean()),
});

export type RunPipelineBody = z.output<typeof runPipelineSchema>;
