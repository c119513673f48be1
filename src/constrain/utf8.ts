import type { Ranges } from './regex.ts';

/** The bytes of some characters of one length: one range for each byte. */
export type ByteRanges = (readonly [from: number, to: number])[];

/** The last character of 1, 2, 3 and 4 bytes. */
const lastOfLength = [0x7f, 0x7ff, 0xffff, 0x10ffff];

/** Sorted and apart, without surrogates and what lies behind the last character. */
export function normaliseRanges(ranges: Ranges): [number, number][] {
  const cut = ranges.flatMap(([from, to]): [number, number][] => [
    [Math.max(from, 0), Math.min(to, 0xd7ff)],
    [Math.max(from, 0xe000), Math.min(to, 0x10ffff)],
  ]);
  const sorted = cut.filter(([from, to]) => from <= to).sort((a, b) => a[0] - b[0]);
  const merged: [number, number][] = [];
  for (const [from, to] of sorted) {
    const last = merged.at(-1);
    if (last && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return merged;
}

/** All characters that are in none of `ranges`. */
export function otherRanges(ranges: Ranges): [number, number][] {
  const others: [number, number][] = [];
  let next = 0;
  for (const [from, to] of normaliseRanges(ranges)) {
    if (from > next) others.push([next, from - 1]);
    next = to + 1;
  }
  others.push([next, 0x10ffff]);
  return normaliseRanges(others);
}

/**
 * The characters of `ranges` as sequences of byte ranges. First bytes of two sequences are the same range or apart, and
 * so are the next ones of those that begin alike.
 */
export function utf8Sequences(ranges: Ranges): ByteRanges[] {
  const out: ByteRanges[] = [];
  for (const [from, to] of normaliseRanges(ranges)) {
    let start = from;
    lastOfLength.forEach((last, more) => {
      if (start <= Math.min(to, last)) {
        split(start, Math.min(to, last), more, out);
        start = last + 1;
      }
    });
  }
  return out;
}

/** Cuts a range of characters of `more` + 1 bytes where a byte's range would depend on the byte before it. */
function split(from: number, to: number, more: number, out: ByteRanges[]): void {
  for (let tail = more; tail >= 1; tail--) {
    const mask = 2 ** (6 * tail) - 1;
    // The first byte of a tail may differ only if the whole tail is free on both sides.
    if (from >> (6 * tail) === to >> (6 * tail)) continue;
    if ((from & mask) !== 0) return splitAt(from, from | mask, to, more, out);
    if ((to & mask) !== mask) return splitAt(from, (to & ~mask) - 1, to, more, out);
  }
  const low = encode(from, more);
  const high = encode(to, more);
  out.push(low.map((byte, index) => [byte, high[index]] as const));
}

function splitAt(from: number, middle: number, to: number, more: number, out: ByteRanges[]): void {
  split(from, middle, more, out);
  split(middle + 1, to, more, out);
}

function encode(char: number, more: number): number[] {
  if (more === 0) return [char];
  const bytes = [((0xff00 >> (more + 1)) & 0xff) | (char >> (6 * more))];
  for (let tail = more - 1; tail >= 0; tail--) bytes.push(0x80 | ((char >> (6 * tail)) & 0x3f));
  return bytes;
}
