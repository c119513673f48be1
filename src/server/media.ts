import type { z } from 'zod';

/** What parts of a message are called that are no text, in the APIs that are spoken here. Nothing of them is read. */
const kinds = new Set([
  'image_url',
  'image',
  'input_image',
  'image_file',
  'input_audio',
  'audio',
  'audio_url',
  'video_url',
  'video',
  'input_video',
  'input_file',
  'file',
  'document',
]);

/** Says by its code that it is not the request's form that is wrong: what it holds is nothing that a model here can see. */
export const mediaParams = { code: 'media_unsupported' } as const;

/**
 * Refuses the first part that is an image, a sound, a film or a file, by its name: an answer that never saw it would be wrong.
 * True: there is one, and the refusal is noted.
 */
export function refuseMedia(parts: unknown, context: z.core.$RefinementCtx, instead: string): boolean {
  if (!Array.isArray(parts)) return false;
  const at = parts.findIndex(part => kinds.has((part as { type?: string } | null)?.type ?? ''));
  if (at < 0) return false;
  const message = `${JSON.stringify(parts[at].type)} is not supported: no model here sees or hears; send ${instead}`;
  context.addIssue({ code: 'custom', message, path: [at, 'type'], params: mediaParams });
  return true;
}
