/** What looks like a control token: texts are never cut inside of one. */
const MARKER = /<[^<>\s][^<>]*>|<｜[^<>]*｜>|\[\/?[A-Z_]{2,30}\]/g;

/** Something that is written once or several times, `between` the items: `head` … `tail`. */
export interface Repeated {
  readonly head: string;
  readonly tail: string;
  readonly between: string;
}

/**
 * Finds where items begin and end from what stands before the first one's own text (`before`), between two ones' (`middle`) and
 * behind the last one's (`after`), in one rendering or several. What is the same on both sides of an item is its own.
 */
export function findRepeated(before: readonly string[], middle: string, after: readonly string[]): Repeated {
  const tail = middle.slice(0, Math.min(...after.map(each => commonStart(middle, each))));
  const rest = middle.slice(tail.length);
  const head = rest.slice(rest.length - Math.min(...before.map(each => commonEnd(rest, each))));
  return { head, tail, between: rest.slice(0, rest.length - head.length) };
}

/** Characters at the beginning that both have, up to the last place where neither is inside a marker. */
export function commonStart(a: string, b: string): number {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length++;
  for (const text of [a, b, a]) length = markerAround(text, length)?.start ?? length;
  return length;
}

/** The same at the end. */
export function commonEnd(a: string, b: string): number {
  let length = 0;
  while (length < a.length && length < b.length && a.at(-1 - length) === b.at(-1 - length)) length++;
  for (const text of [a, b, a]) {
    const marker = markerAround(text, text.length - length);
    if (marker) length = text.length - marker.end;
  }
  return length;
}

function markerAround(text: string, place: number): { start: number; end: number } | undefined {
  for (const { index, 0: marker } of text.matchAll(MARKER)) {
    if (index < place && place < index + marker.length) return { start: index, end: index + marker.length };
  }
  return undefined;
}
