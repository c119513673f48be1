import type { Input } from './input.ts';

/** What a name is made of. */
export const nameChar = /[^\s"'<>{}()[\]|:=,]/;
export const longestName = 256;

const isSpace = (char: string | undefined): boolean => char !== undefined && /\s/.test(char);

/**
 * Where the input's part from `from` on that is `text` ends, or undefined where it is another. White space may be more, less or other than in
 * `text`, as models write it; only what ends `text` is taken from the input as it stands, since a value may follow.
 */
export function* matchLiteral(input: Input, text: string, from = 0): Generator<void, number | undefined> {
  const solid = text.trimEnd();
  let at = from;
  for (const char of solid) {
    if (isSpace(char)) continue;
    for (;;) {
      if (!(yield* input.has(at + 1))) return undefined;
      if (!isSpace(input.text[at])) break;
      at++;
    }
    if (input.text[at] !== char) return undefined;
    at++;
  }
  const space = text.slice(solid.length);
  if (space !== '' && (yield* input.has(at + space.length)) && input.text.startsWith(space, at)) at += space.length;
  return at;
}

/** Takes the literal; false where something else stands there. */
export function* literal(input: Input, text: string): Generator<void, boolean> {
  const end = yield* matchLiteral(input, text);
  if (end === undefined) return false;
  input.take(end);
  return true;
}

/** Whether the input goes on with exactly this from `from` on; waits no longer than it still can. */
export function* hasStart(input: Input, text: string, from = 0): Generator<void, boolean> {
  for (let at = 0; at < text.length; at++) {
    if (!(yield* input.has(from + at + 1)) || input.text[from + at] !== text[at]) return false;
  }
  return true;
}

/** Where the characters from `from` on that match end, so many at most. */
export function* matchRun(input: Input, of: RegExp, most: number, from = 0): Generator<void, number> {
  let at = from;
  while (at < from + most && (yield* input.has(at + 1)) && of.test(input.text[at] ?? '')) at++;
  return at;
}

export function* skipSpace(input: Input): Generator<void, void> {
  input.take(yield* matchRun(input, /\s/, Number.MAX_SAFE_INTEGER));
}
