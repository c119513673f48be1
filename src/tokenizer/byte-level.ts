/**
 * GPT-2's way of writing bytes as text: a printable byte is the character of its own code, each of the 68 others is a
 * character from U+0100 on, in order. So a byte-level vocabulary is a list of ordinary strings.
 */
const charOfByte: string[] = [];
const byteOfChar = new Map<string, number>();

for (let byte = 0, next = 0x100; byte < 256; byte++) {
  const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
  const char = String.fromCharCode(printable ? byte : next++);
  charOfByte.push(char);
  byteOfChar.set(char, byte);
}

const encoder = new TextEncoder();

/** The character that stands for `byte` (0-255) in a byte-level vocabulary. */
export function byteChar(byte: number): string {
  return charOfByte[byte] ?? '';
}

/** `bytes` in byte-level writing. */
export function toByteLevel(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += charOfByte[byte];
  return text;
}

/** The bytes that a byte-level string stands for; a character outside the alphabet stands for its own UTF-8. */
export function fromByteLevel(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const char of text) {
    const byte = byteOfChar.get(char);
    if (byte === undefined) bytes.push(...encoder.encode(char));
    else bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}
