import { space } from '../constrain/char-classes.ts';
import type { Regexes, RegexId } from '../constrain/regex.ts';

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
