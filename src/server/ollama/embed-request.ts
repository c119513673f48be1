import { z } from 'zod';
import { ignored, optional } from '../fields.ts';

const ignoredFields = { keep_alive: ignored(), options: ignored() };

/** `POST /api/embed`. */
export function ollamaEmbedSchema(limits: { inputs: number }) {
  const texts = z.array(z.string()).max(limits.inputs);
  return z
    .object({
      model: optional(z.string()),
      input: z.union([z.string().transform(text => [text]), texts], { error: 'must be a string or a list of strings' }),
      dimensions: optional(z.int().min(1)),
      truncate: optional(z.boolean()),
      ...ignoredFields,
    })
    .transform(({ model, input: inputs, dimensions, truncate = true }) => ({ model, inputs, dimensions, truncate }));
}

/** `POST /api/embeddings`, which it had before. */
export const ollamaEmbeddingsSchema = z
  .object({ model: optional(z.string()), prompt: z.string(), ...ignoredFields })
  .transform(({ model, prompt }) => ({ model, inputs: [prompt] }));
