import { z } from 'zod';
import { isEmptyList, optional, unsupported } from '../fields.ts';
import type { Translated } from '../translated.ts';
import { answerFields, noImages, toChatFields, toShared } from './options.ts';

const generateFields = z.object({
  ...answerFields,
  prompt: optional(z.string()),
  suffix: optional(z.string()),
  system: optional(z.string()),
  /** The prompt is the whole text, without a template. */
  raw: optional(z.boolean()),
  images: noImages,
  template: unsupported(value => value === ''),
  context: unsupported(isEmptyList),
  truncate: optional(z.boolean()),
  // Of models that draw.
  width: unsupported(value => value === 0),
  height: unsupported(value => value === 0),
  steps: unsupported(value => value === 0),
});

/** `POST /api/generate`: one message of a chat, or a plain text. Without a prompt it asks for the model to be loaded. */
export function ollamaGenerateSchema() {
  return generateFields.transform((fields, context): Translated<'chat' | 'completion' | 'ollamaLoad'> => {
    const { model, keep_alive, prompt = '', suffix = '', system = '', raw } = fields;
    if (prompt === '' && suffix === '') return { form: 'ollamaLoad', body: { model, keep_alive } };
    if (!raw && suffix === '')
      return {
        form: 'chat',
        body: { ...toShared(fields), ...toChatFields(fields), messages: toMessages(system, prompt) },
      };
    for (const name of ['system', 'think', 'truncate'] as const) {
      if (fields[name])
        context.addIssue({ code: 'custom', path: [name], message: 'needs a template; leave out raw and suffix' });
    }
    return { form: 'completion', body: toPlain(fields) };
  });
}

const toMessages = (system: string, prompt: string) => [
  ...(system === '' ? [] : [{ role: 'system', content: system }]),
  { role: 'user', content: prompt },
];

/** The text as it stands, or what surrounds a gap. */
function toPlain(fields: z.output<typeof generateFields>): Record<string, unknown> {
  const { prompt = '', suffix, logprobs, top_logprobs = 0 } = fields;
  const shared = toShared(fields);
  return {
    ...shared,
    max_tokens: shared.max_tokens ?? -1,
    logprobs: logprobs ? top_logprobs : undefined,
    prompt,
    suffix,
  };
}
