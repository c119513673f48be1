/** The characters that Python's `str.isspace` knows. */
export const WHITESPACE =
  '\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000';

/** The text without the leading characters that are in `set`. */
export function lstrip(text: string, set: string = WHITESPACE): string {
  const inside = characterSet(set);
  let at = 0;
  for (
    let size = sizeAt(text, at);
    at < text.length && inside.has(text.slice(at, at + size));
    size = sizeAt(text, at)
  ) {
    at += size;
  }
  return text.slice(at);
}

/** The text without the trailing characters that are in `set`. */
export function rstrip(text: string, set: string = WHITESPACE): string {
  const inside = characterSet(set);
  let end = text.length;
  while (end > 0) {
    const size = end > 1 && text.codePointAt(end - 2)! > 0xffff ? 2 : 1;
    if (!inside.has(text.slice(end - size, end))) break;
    end -= size;
  }
  return text.slice(0, end);
}

const whitespace = new Set(WHITESPACE);

function characterSet(set: string): ReadonlySet<string> {
  return set === WHITESPACE ? whitespace : new Set(set);
}

function sizeAt(text: string, at: number): number {
  return (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
}
