import type { Input } from './input.ts';

/** Takes one JSON value from the input and gives its text to `emit` as it comes; false where none stands there, or it is not ended. */
export function* scanJson(input: Input, emit: (text: string) => void): Generator<void, boolean> {
  let depth = 0;
  let inString = false;
  let escaped = false;
  let scalar = false;
  for (;;) {
    let taken = 0;
    for (const char of input.text) {
      if (inString) {
        taken += char.length;
        if (escaped) escaped = false;
        else if (char === '\\') escaped = true;
        else if (char === '"') inString = false;
        if (!inString && depth === 0) return finish(input, taken, emit);
        continue;
      }
      if (depth === 0 && scalar && /[\s,\]})<]/.test(char)) return finish(input, taken, emit);
      if (depth === 0 && !scalar && !/[{["\-\dtfn]/.test(char)) return false;
      taken += char.length;
      if (char === '"') inString = true;
      else if (char === '{' || char === '[') depth++;
      else if (char === '}' || char === ']') {
        depth--;
        if (depth === 0) return finish(input, taken, emit);
      } else if (depth === 0) scalar = true;
    }
    emit(input.take(taken));
    if (input.ended) return scalar && depth === 0;
    yield;
  }
}

function finish(input: Input, taken: number, emit: (text: string) => void): true {
  emit(input.take(taken));
  return true;
}
