import { z } from 'zod';
import type { Token } from '../tokenizer/types.ts';
import { optional } from './fields.ts';

/** `POST /v1/embeddings`: https://platform.openai.com/docs/api-reference/embeddings/create */
export interface EmbeddingsRequest {
  readonly model: string | undefined;
  /** Texts, or tokens as they are. */
  readonly inputs: readonly (string | readonly Token[])[];
  readonly base64: boolean;
  readonly dimensions: number | undefined;
}

const tokens = z.array(z.int().min(0)).min(1);
const forms = z.union([
  z.string().transform(text => [text]),
  z.array(z.string()).min(1),
  tokens.transform(ids => [ids]),
  z.array(tokens).min(1),
]);

const wrongInput =
  'must be a string, a list of strings, a list of token ids, or a list of such lists; none of them empty';

const input = z.unknown().transform((value, context) => {
  const parsed = forms.safeParse(value);
  if (parsed.success) return parsed.data as (string | Token[])[];
  context.addIssue({ code: 'custom', message: value === undefined ? 'is required' : wrongInput });
  return z.NEVER;
});

export const embeddingsSchema: z.ZodType<EmbeddingsRequest> = z
  .object({
    model: optional(z.string()),
    input,
    encoding_format: optional(z.enum(['float', 'base64'])),
    dimensions: optional(z.int().min(1)),
    user: optional(z.string()),
  })
  .transform(({ model, input: inputs, encoding_format, dimensions }) => ({
    model,
    inputs,
    base64: encoding_format === 'base64',
    dimensions,
  }));
