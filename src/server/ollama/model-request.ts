import { z } from 'zod';
import { ignored, optional, unsupported } from '../fields.ts';

/** Asks that a model be loaded, or, with 0, that it be no longer: a request without a word to answer. */
export const ollamaLoadSchema = z
  .object({ model: optional(z.string()), keep_alive: optional(z.union([z.string(), z.number()])) })
  .transform(({ model, keep_alive }) => ({ model, load: Number.parseFloat(String(keep_alive ?? 1)) !== 0 }));

/** `POST /api/show`. */
export const ollamaShowSchema = z
  .object({
    model: optional(z.string()),
    name: optional(z.string()),
    system: unsupported(value => value === ''),
    template: unsupported(value => value === ''),
    options: ignored(),
    verbose: ignored(),
  })
  .transform(({ model, name }) => ({ model: model ?? name }));
