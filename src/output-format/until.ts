import type { Steps } from './events.ts';
import { heldBack, type Input } from './input.ts';

/**
 * Takes text and gives it to `emit`, up to the first of `ends`, which stays in the input with the white space in front of it;
 * undefined where the input ends before.
 */
export function* textUntil(
  input: Input,
  ends: readonly string[],
  emit: (text: string) => void,
): Steps<string | undefined> {
  for (;;) {
    const found = firstOf(input.text, ends);
    if (found && (input.ended || !mayGrow(input.text.slice(found.at), ends))) {
      emit(input.take(input.text.slice(0, found.at).trimEnd().length));
      return found.end;
    }
    const kept = ends.length === 0 || input.ended ? 0 : keptLength(input.text, ends);
    emit(input.take(input.text.length - kept));
    if (input.ended) return undefined;
    yield;
  }
}

/** The first one, and the longest of those that begin in one place. */
function firstOf(text: string, ends: readonly string[]): { at: number; end: string } | undefined {
  let first: { at: number; end: string } | undefined;
  for (const end of ends) {
    const at = text.indexOf(end);
    if (at >= 0 && (!first || at < first.at || (at === first.at && end.length > first.end.length))) first = { at, end };
  }
  return first;
}

/** Another end, which begins like the one that has come, may still come. */
const mayGrow = (text: string, ends: readonly string[]): boolean =>
  ends.some(end => end.length > text.length && end.startsWith(text));

/** Characters at the end of `text` that may belong to one of the ends, which may still come, with the space before them. */
export function keptLength(text: string, ends: readonly string[]): number {
  const spaced = text.length - text.trimEnd().length;
  return Math.max(
    spaced,
    ...ends.map(end => {
      const held = heldBack(text, end);
      const before = text.slice(0, text.length - held);
      return held > 0 ? held + before.length - before.trimEnd().length : 0;
    }),
  );
}
