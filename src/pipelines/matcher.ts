import { compileSearch, plainAlphabet } from '../constrain/regex-compile.ts';
import { RegexTests } from '../constrain/regex-tests.ts';
import { RegexStore } from '../constrain/regexes.ts';

/** Bytes of a text, each a step; a text is read once, whatever the pattern is. */
export const BYTES_A_STEP = 16;

/** Whether a text has a match of the pattern in it. Takes a time in proportion to the text: JavaScript's own can take for ever. Throws for what is no pattern. */
export function matcher(pattern: string): (text: string) => boolean {
  compileSearch(pattern, plainAlphabet(new RegexStore()));
  // What is derived is kept; a new store now and then forgets what a hostile text made of it.
  let left = 0;
  let matches: (text: string) => boolean = () => false;
  return text => {
    if (left <= 0) {
      const regexes = new RegexStore();
      const regex = compileSearch(pattern, plainAlphabet(regexes));
      const tests = new RegexTests(regexes);
      matches = each => tests.matches(regex, each);
      left = 1_000_000;
    }
    left -= text.length + 1000;
    return matches(text);
  };
}
