import { z } from 'zod';
import { type GenerationBody, optional, sharedFields, toBody, topLogprobs, unsupported } from './fields.ts';
import { refusedFields } from './refused-fields.ts';
import { structuredFields, toContentSource } from './structured-output.ts';

const holdsTokens = (value: unknown) =>
  Array.isArray(value) && value.some(entry => typeof entry === 'number' || Array.isArray(entry));

const wrongPrompt = (value: unknown) => {
  if (value === undefined) return 'is required';
  return holdsTokens(value) ? 'as token ids is not supported; send text' : 'must be a string or a list of strings';
};

/** Every prompt gets an answer, so there are no more than that. */
function promptSchema(choices: number) {
  return z.unknown().transform((value, context): string[] => {
    const texts = typeof value === 'string' ? [value] : value;
    const many = Array.isArray(texts) && texts.length > choices;
    if (!many && Array.isArray(texts) && texts.length > 0 && texts.every(text => typeof text === 'string'))
      return texts as string[];
    const message = `has too many entries; one request gets at most ${choices} answers`;
    context.addIssue({ code: 'custom', message: many && !holdsTokens(value) ? message : wrongPrompt(value) });
    return z.NEVER;
  });
}

/** What OpenAI's API generates when a request does not say. */
const defaultMaxTokens = 16;

/** `POST /v1/completions`: https://platform.openai.com/docs/api-reference/completions/create */
export function completionSchema(limits: { choices: number }): z.ZodType<GenerationBody> {
  return z
    .object({
      ...sharedFields,
      ...structuredFields,
      ...refusedFields,
      prompt: promptSchema(limits.choices),
      logprobs: optional(topLogprobs),
      echo: unsupported(value => value === false),
      suffix: unsupported(value => value === ''),
      best_of: unsupported(value => value === 1),
    })
    .transform((body, context) =>
      toBody(body, {
        kind: 'completion',
        prompts: body.prompt,
        constraint: toContentSource(body, (path, message) => context.addIssue({ code: 'custom', path, message })),
        maxTokens: body.max_tokens ?? body.n_predict ?? defaultMaxTokens,
        topLogprobs: body.logprobs,
      }),
    );
}
