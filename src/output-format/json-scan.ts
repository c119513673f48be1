import type { Input } from './input.ts';

/** Where a scan of a JSON value is. */
interface Scan {
  depth: number;
  inString: boolean;
  escaped: boolean;
  /** A number or a word outside of everything, which ends where something else begins. */
  scalar: boolean;
}

/** Takes one JSON value from the input and gives its text to `emit` as it comes; false where none stands there, or it is not ended. */
export function* scanJson(input: Input, emit: (text: string) => void): Generator<void, boolean> {
  const scan: Scan = { depth: 0, inString: false, escaped: false, scalar: false };
  for (;;) {
    let taken = 0;
    let ended: boolean | undefined;
    for (const char of input.text) {
      if (scan.depth === 0 && !scan.inString) ended = edge(scan, char);
      if (ended !== undefined) break;
      taken += char.length;
      if (step(scan, char)) ended = true;
      if (ended) break;
    }
    emit(input.take(taken));
    if (ended !== undefined) return ended;
    if (input.ended) return scan.scalar && scan.depth === 0;
    yield;
  }
}

/** Where the JSON value that begins at `from` ends; undefined where none stands there, it is not ended or is longer than `most`. */
export function* matchJson(input: Input, from: number, most: number): Generator<void, number | undefined> {
  const scan: Scan = { depth: 0, inString: false, escaped: false, scalar: false };
  for (let at = from; at < from + most; at++) {
    const more = yield* input.has(at + 1);
    const char = more ? (input.text[at] ?? '') : ' ';
    const ended = scan.depth === 0 && !scan.inString ? edge(scan, char) : undefined;
    if (ended !== undefined) return ended ? at : undefined;
    if (!more) return undefined;
    if (step(scan, char)) return at + 1;
  }
  return undefined;
}

/** Outside of everything: true where a scalar has ended before `char`, false where no value begins with it. */
function edge({ scalar }: Scan, char: string): boolean | undefined {
  if (scalar) return /[\s,\]})<]/.test(char) || undefined;
  return /[{["\-\dtfn]/.test(char) ? undefined : false;
}

/** Goes on by `char`; true where the value has ended with it. */
function step(scan: Scan, char: string): boolean {
  if (scan.inString) {
    scan.inString = scan.escaped || char !== '"';
    scan.escaped = !scan.escaped && char === '\\';
    return !scan.inString && scan.depth === 0;
  }
  if (char === '"') scan.inString = true;
  else if (char === '{' || char === '[') scan.depth++;
  else if (char === '}' || char === ']') return --scan.depth <= 0;
  else if (scan.depth === 0) scan.scalar = true;
  return false;
}
