import type { Splitter } from './pre-tokenizers.ts';

/** `text` cut by each splitter in turn: the pieces join to `text` again. */
export function split(text: string, splitters: readonly Splitter[]): string[] {
  let pieces = [text];
  for (const splitter of splitters) {
    pieces = pieces.flatMap(piece => (splitter instanceof RegExp ? isolate(piece, splitter) : splitter(piece)));
  }
  return pieces;
}

/** The matches of a global `pattern` and the gaps between them. */
function isolate(text: string, pattern: RegExp): string[] {
  const pieces: string[] = [];
  let end = 0;
  pattern.lastIndex = 0;
  for (let match = pattern.exec(text); match; match = pattern.exec(text)) {
    if (match.index > end) pieces.push(text.slice(end, match.index));
    pieces.push(match[0]);
    end = match.index + match[0].length;
  }
  if (end < text.length) pieces.push(text.slice(end));
  return pieces;
}

const DIGITS = /\p{Nd}+/gu;

/** Cuts every run of digits into threes counted from its right end: 1234567 is 1, 234, 567. */
export function groupDigits(text: string): string[] {
  return isolate(text, DIGITS).flatMap(piece => {
    DIGITS.lastIndex = 0;
    if (!DIGITS.test(piece)) return [piece];
    const digits = [...piece];
    const groups: string[] = [];
    for (let end = ((digits.length - 1) % 3) + 1, start = 0; start < digits.length; start = end, end += 3) {
      groups.push(digits.slice(start, end).join(''));
    }
    return groups;
  });
}
