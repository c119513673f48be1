import type { Steps } from './events.ts';
import { heldBack, type Input } from './input.ts';
import { matchRun } from './literal.ts';
import { isJson, pythonToJson } from './python-literal.ts';
import { typeOf } from './values.ts';

type Emit = (text: string) => void;

/** Takes an object whose keys are bare and whose texts stand between `quote`s, and gives it out as JSON as it comes. */
export function* scanQuotedJson(input: Input, quote: string, emit: Emit): Steps<void> {
  let depth = 0;
  while (yield* input.has(1)) {
    const char = input.text[0] ?? '';
    if (quote[0] === char && (yield* input.has(quote.length)) && input.text.startsWith(quote)) {
      input.take(quote.length);
      yield* quotedText(input, quote, emit);
    } else if (/[{}[\],:\s]/.test(char)) {
      emit(input.take(1));
      if (char === '{' || char === '[') depth++;
      if ((char === '}' || char === ']') && --depth <= 0) return;
    } else {
      const end = Math.max(yield* matchRun(input, /[^,:{}[\]\s]/, Number.MAX_SAFE_INTEGER), 1);
      const word = input.take(end);
      const next = yield* matchRun(input, /\s/, Number.MAX_SAFE_INTEGER);
      const isKey = (yield* input.has(next + 1)) && input.text[next] === ':';
      emit(isKey ? JSON.stringify(word) : valueText(word));
    }
    if (depth === 0) return;
  }
}

function* quotedText(input: Input, quote: string, emit: Emit): Steps<void> {
  emit('"');
  for (;;) {
    const end = input.text.indexOf(quote);
    const whole = end >= 0 || input.ended;
    const length = end >= 0 ? end : input.text.length - (whole ? 0 : heldBack(input.text, quote));
    emit(JSON.stringify(input.take(length)).slice(1, -1));
    if (whole) break;
    yield;
  }
  input.take(quote.length);
  emit('"');
}

function valueText(word: string): string {
  return isJson(word) ? word : (pythonToJson(word) ?? JSON.stringify(word));
}

/** A value written like that. */
export function quotedJson(value: unknown, quote: string): string {
  const inner = (each: unknown) => quotedJson(each, quote);
  switch (typeOf(value)) {
    case 'string':
      return quote + String(value) + quote;
    case 'array':
      return `[${(value as unknown[]).map(inner).join(',')}]`;
    case 'object':
      return `{${Object.entries(value as object)
        .map(([key, each]) => `${key}:${inner(each)}`)
        .join(',')}}`;
    default:
      return String(value);
  }
}
