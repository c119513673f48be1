import { z } from 'zod';
import { optional } from '../fields.ts';

/** `POST /api/embed`. */
export function ollamaEmbedSchema(limits: { inputs: number }) {
  const texts = z.array(z.string()).max(limits.inputs);
  return z
    .object({
      model: optional(z.string()),
      input: z.union([z.string().transform(text => [text]), texts], { error: 'must be a string or a list of strings' }),
      dimensions: optional(z.int().min(1)),
    })
    .transform(({ model, input: inputs, dimensions }) => ({ model, inputs, dimensions }));
}

/** `POST /api/embeddings`, which it had before. */
export const ollamaEmbeddingsSchema = z
  .object({ model: optional(z.string()), prompt: z.string() })
  .transform(({ model, prompt }) => ({ model, inputs: [prompt] }));
