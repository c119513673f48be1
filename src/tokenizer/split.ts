import type { Steps } from './steps.ts';

/** Cuts every piece further: a pattern (its matches and the gaps between them), or a function that gives cut points. */
export type Splitter = RegExp | ((text: string) => string[]);

/** Pieces of one step: about 2 ms. */
const STEP = 1 << 13;

/** `text` cut by each splitter in turn: the pieces join to `text` again. */
export function* split(text: string, splitters: readonly Splitter[]): Steps<string[]> {
  let pieces = [text];
  for (const splitter of splitters) {
    const cut: string[] = [];
    for (const piece of pieces) {
      if (splitter instanceof RegExp) yield* isolate(piece, splitter, cut);
      else for (const part of splitter(piece)) cut.push(part);
      if (cut.length % STEP === 0) yield;
    }
    pieces = cut;
  }
  return pieces;
}

/** Appends the matches of a global `pattern` and the gaps between them to `pieces`. */
function* isolate(text: string, pattern: RegExp, pieces: string[]): Steps<void> {
  let end = 0;
  pattern.lastIndex = 0;
  for (let match = pattern.exec(text); match; match = pattern.exec(text)) {
    if (match.index > end) pieces.push(text.slice(end, match.index));
    end = match.index + match[0].length;
    if (pieces.push(match[0]) % STEP > 0) continue;
    yield;
    // Others may have used the pattern meanwhile.
    pattern.lastIndex = end;
  }
  if (end < text.length) pieces.push(text.slice(end));
}

const DIGITS = /\p{Nd}+/gu;
/** Those that a word does not go on behind. It begins where a run does, or a long run would be searched from each of its digits. */
const LAST_DIGITS = /(?<!\p{Nd})\p{Nd}+(?![\p{Alphabetic}\p{M}\p{Nd}\p{Pc}])/gu;

/** Cuts every run of digits into threes counted from its right end: 1234567 is 1, 234, 567. */
export const groupDigits = (text: string): string[] => grouped(text, DIGITS);

/** The same with runs at the end of a word: \d{1,3}(?=(?:\d{3})*\b). */
export const groupLastDigits = (text: string): string[] => grouped(text, LAST_DIGITS);

function grouped(text: string, runs: RegExp): string[] {
  const pieces: string[] = [];
  let at = 0;
  for (const { 0: run, index } of text.matchAll(runs)) {
    if (index > at) pieces.push(text.slice(at, index));
    at = index + run.length;
    const digits = [...run];
    for (let end = ((digits.length - 1) % 3) + 1, start = 0; start < digits.length; start = end, end += 3) {
      pieces.push(digits.slice(start, end).join(''));
    }
  }
  if (at < text.length) pieces.push(text.slice(at));
  return pieces;
}
