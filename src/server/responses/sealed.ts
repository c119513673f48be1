/**
 * What `encrypted_content` holds: text for this API's eyes, which a client keeps and sends back. It is written so that
 * nobody takes it for text to show, and is no secret: the client was told the same, or said it.
 */
const mark = 'realm1.';

export function seal(text: string): string {
  return mark + Buffer.from(text).toString('base64url');
}

/** undefined: it was made by somebody else. */
export function unseal(sealed: string): string | undefined {
  return sealed.startsWith(mark) ? Buffer.from(sealed.slice(mark.length), 'base64url').toString() : undefined;
}
