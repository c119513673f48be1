/** Longest piece of a file's text that a message repeats, in UTF-16 units. */
const longest = 100;

/**
 * Text from a file made fit for a message, a log line or a terminal: control characters, invisible and direction-changing ones and
 * lone surrogates become \u{…}, and what is longer than 100 characters is cut.
 */
export function escapeText(text: string): string {
  const cut = text.length > longest ? `${text.slice(0, longest)}…` : text;
  return escapeControls(cut.replaceAll('\\', '\\\\'));
}

/** The same without a limit, and with backslashes as they are: for text that is quoted already. */
export function escapeControls(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu,
    character => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}
