import { z } from 'zod';
import { isEmptyList, optional, unsupported } from '../fields.ts';
import type { Translated } from '../translated.ts';
import { answerFields, noImages, toShared, toThinking } from './options.ts';

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
});

/** `POST /api/generate`: one message of a chat, or a plain text. Without a prompt it asks for the model to be loaded. */
export function ollamaGenerateSchema() {
  return generateFields.transform(toForm);
}

function toForm(fields: z.output<typeof generateFields>): Translated<'chat' | 'completion' | 'ollamaLoad'> {
  const { model, keep_alive, think, prompt = '', suffix = '', system = '', raw } = fields;
  if (prompt === '' && suffix === '') return { form: 'ollamaLoad', body: { model, keep_alive } };
  const shared = toShared(fields);
  if (raw || suffix !== '')
    return { form: 'completion', body: { ...shared, max_tokens: shared.max_tokens ?? -1, prompt, suffix } };
  const messages = [...(system === '' ? [] : [{ role: 'system', content: system }]), { role: 'user', content: prompt }];
  return { form: 'chat', body: { ...shared, ...toThinking(think), messages } };
}
