import { z } from 'zod';
import { optional } from './fields.ts';

/** Cohere's and Jina's fields, as vLLM and llama-server take them: a document is a text, or an object with one. */
export function rerankSchema(limits: { inputs: number }) {
  const document = z.union([z.string().min(1), z.object({ text: z.string().min(1) }).transform(({ text }) => text)]);
  return z
    .object({
      model: optional(z.string()),
      query: z.string().min(1),
      documents: z
        .array(z.unknown())
        .min(1)
        .max(limits.inputs - 1)
        .pipe(z.array(document)),
      top_n: optional(z.int().min(1)),
      return_documents: optional(z.boolean()),
    })
    .transform(body => ({
      model: body.model,
      query: body.query,
      documents: body.documents,
      most: body.top_n ?? body.documents.length,
      withDocuments: body.return_documents ?? true,
    }));
}
