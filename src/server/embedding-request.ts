import { z } from 'zod';
import { ignored, optional } from './fields.ts';

/** `POST /v1/embeddings`: https://platform.openai.com/docs/api-reference/embeddings/create */
export interface EmbeddingsRequest {
  readonly model: string | undefined;
  /** Texts, or tokens as they are. */
  readonly inputs: readonly (string | Float64Array)[];
  readonly base64: boolean;
  readonly dimensions: number | undefined;
}

const wrongInput =
  'must be a string, a list of strings, a list of token ids, or a list of such lists; none of them empty';

const isNumbers = (value: unknown): value is number[] =>
  Array.isArray(value) && value.length > 0 && value.every(id => typeof id === 'number');

function toInputs(value: unknown): unknown[] {
  if (typeof value === 'string' || isNumbers(value)) return [value];
  return Array.isArray(value) ? value : [];
}

/** Up to `most` texts or lists of tokens, all of one kind. */
function inputSchema(most: number) {
  return z.unknown().transform((value, context): (string | Float64Array)[] => {
    const refuse = (message: string) => {
      context.addIssue({ code: 'custom', message });
      return z.NEVER;
    };
    const inputs = toInputs(value);
    if (inputs.length > most) return refuse(`has ${inputs.length} texts; one request may have ${most}`);
    if (inputs.length > 0 && inputs.every(input => typeof input === 'string')) return inputs;
    if (inputs.length > 0 && inputs.every(isNumbers)) return inputs.map(ids => Float64Array.from(ids));
    return refuse(value === undefined ? 'is required' : wrongInput);
  });
}

export function embeddingsSchema(limits: { inputs: number }): z.ZodType<EmbeddingsRequest> {
  return z
    .object({
      model: optional(z.string()),
      input: inputSchema(limits.inputs),
      encoding_format: optional(z.enum(['float', 'base64'])),
      dimensions: optional(z.int().min(1)),
      user: ignored(),
    })
    .transform(({ model, input: inputs, encoding_format, dimensions }) => ({
      model,
      inputs,
      base64: encoding_format === 'base64',
      dimensions,
    }));
}
