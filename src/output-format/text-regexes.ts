import type { Ranges, Regexes, RegexId } from '../constrain/regex.ts';

export const anyText = (regexes: Regexes): RegexId => regexes.repeat(regexes.notChars([]), 0);

/** Any text that does not contain `text`. */
export function anyBut(text: string, regexes: Regexes): RegexId {
  const any = anyText(regexes);
  return text === '' ? any : regexes.not(regexes.concat([any, regexes.literal(text), any]));
}

/** Any text that does not begin with a match. */
export function anyBehind(head: RegexId, regexes: Regexes): RegexId {
  return regexes.not(regexes.concat([head, anyText(regexes)]));
}

/** What `\s` is. */
const space: Ranges = [
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];

/** The text with white space anywhere but within names, as the parser takes it. */
export function loosely(text: string, regexes: Regexes): RegexId {
  const spaces = regexes.repeat(regexes.chars(space), 0);
  const chars = Array.from(text.replace(/\s/g, ''), char => regexes.concat([spaces, regexes.literal(char)]));
  return regexes.concat(chars);
}

/** A few blanks or line breaks, or none. */
export function gap(regexes: Regexes): RegexId {
  return regexes.repeat(
    regexes.chars([
      [0x0a, 0x0a],
      [0x20, 0x20],
    ]),
    0,
    8,
  );
}
