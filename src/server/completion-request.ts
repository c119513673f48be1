import { z } from 'zod';
import { type GenerationBody, optional, sharedFields, toBody, topLogprobs, unsupported } from './fields.ts';
import { refusedFields } from './refused-fields.ts';
import { structuredFields, toContentSource } from './structured-output.ts';

type Prompt = string | Float64Array;

const isTokens = (value: unknown): value is number[] =>
  Array.isArray(value) && value.length > 0 && value.every(entry => typeof entry === 'number');

const isPrompt = (value: unknown) => typeof value === 'string' || isTokens(value);

const toPrompt = (value: string | number[]): Prompt => (typeof value === 'string' ? value : Float64Array.from(value));

/** Texts, or their tokens; one or a list. Every prompt gets an answer, so there are no more than that. */
function promptSchema(choices: number) {
  return z.unknown().transform((value, context): Prompt[] => {
    const refuse = (message: string) => {
      context.addIssue({ code: 'custom', message });
      return z.NEVER;
    };
    if (value === undefined) return refuse('is required');
    const prompts = isPrompt(value) ? [value] : value;
    if (!Array.isArray(prompts) || prompts.length === 0)
      return refuse('must be a string, a list of token ids, or a list of those');
    if (prompts.length > choices) return refuse(`has too many entries; one request gets at most ${choices} answers`);
    if (!prompts.every(isPrompt)) return refuse('must be a string, a list of token ids, or a list of those');
    return (prompts as (string | number[])[]).map(toPrompt);
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
      echo: optional(z.boolean()),
      suffix: optional(z.string()),
      best_of: unsupported(value => value === 1),
      tool_format: unsupported(),
    })
    .refine(({ echo, suffix }) => !echo || !suffix, {
      path: ['echo'],
      error: 'is not supported together with suffix: what the model gets is no text of yours',
    })
    .refine(({ suffix, prompt }) => !suffix || prompt.every(each => typeof each === 'string'), {
      path: ['suffix'],
      error: 'needs prompts that are texts',
    })
    .transform((body, context) =>
      toBody(body, {
        kind: 'completion',
        prompts: body.prompt,
        suffix: body.suffix || undefined,
        echo: body.echo,
        constraint: toContentSource(body, (path, message) => context.addIssue({ code: 'custom', path, message })),
        maxTokens: body.max_tokens ?? body.n_predict ?? defaultMaxTokens,
        topLogprobs: body.logprobs,
        ...(body.echo && { promptLogprobs: body.logprobs }),
      }),
    );
}
