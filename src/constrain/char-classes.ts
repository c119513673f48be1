/** The classes of characters that regular expressions name, as ECMA-262 has them. */
import type { Ranges } from './regex.ts';
import { normaliseRanges, otherRanges } from './utf8.ts';

const lastPoint = 0x10ffff;

/** What is in both; each is sorted and apart. */
export function intersectRanges(a: Ranges, b: Ranges): Ranges {
  const both: [number, number][] = [];
  for (let [i, j] = [0, 0]; i < a.length && j < b.length; ) {
    const [from, to] = [Math.max(a[i]![0], b[j]![0]), Math.min(a[i]![1], b[j]![1])];
    if (from <= to) both.push([from, to]);
    if (a[i]![1] < b[j]![1]) i++;
    else j++;
  }
  return both;
}

const digit: Ranges = [[48, 57]];
const word: Ranges = [
  [48, 57],
  [65, 90],
  [95, 95],
  [97, 122],
];
/** What `\s` is. */
export const space: Ranges = [
  [9, 13],
  [32, 32],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];

export const classes = {
  /** What `.` does not match. */
  newline: [
    [10, 10],
    [13, 13],
    [0x2028, 0x2029],
  ] as Ranges,
  escapes: {
    d: digit,
    D: otherRanges(digit),
    w: word,
    W: otherRanges(word),
    s: space,
    S: otherRanges(space),
  } as Readonly<Record<string, Ranges>>,
};

/** With the other case of each letter. Large ranges hold both cases already, but for ASCII in one of them. */
export function fold(ranges: Ranges): Ranges {
  const folded: [number, number][] = ranges.map(([from, to]) => [from, to]);
  for (const [from, to] of ranges) {
    for (let point = from; point <= Math.min(to, from + 0xfff); point++) {
      const char = String.fromCodePoint(point);
      for (const other of [char.toLowerCase(), char.toUpperCase()]) {
        const otherPoint = other.codePointAt(0)!;
        if (otherPoint !== point && other.length === String.fromCodePoint(otherPoint).length)
          folded.push([otherPoint, otherPoint]);
      }
    }
  }
  return normaliseRanges(folded);
}

const properties = new Map<string, Ranges>();

/** The characters of a Unicode property, asked of the runtime's own regular expressions once; undefined if it has none such. */
export function propertyRanges(name: string, negated: boolean): Ranges | undefined {
  let ranges = properties.get(name);
  if (!ranges) {
    let pattern: RegExp;
    try {
      pattern = new RegExp(`^\\p{${name}}$`, 'u');
    } catch {
      return undefined;
    }
    ranges = matching(pattern);
    properties.set(name, ranges);
  }
  return negated ? otherRanges(ranges) : ranges;
}

function matching(pattern: RegExp): Ranges {
  const ranges: [number, number][] = [];
  for (let point = 0; point <= lastPoint; point++) {
    if (!pattern.test(String.fromCodePoint(point))) continue;
    const last = ranges.at(-1);
    if (last?.[1] === point - 1) last[1] = point;
    else ranges.push([point, point]);
  }
  return ranges;
}
