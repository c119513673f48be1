import type { Steps } from './events.ts';
import type { Input } from './input.ts';
import { literal } from './literal.ts';
import { isJson, pythonToJson } from './python-literal.ts';
import type { Notation } from './types.ts';
import { keptLength } from './until.ts';

type Emit = (text: string) => void;

/** A text as it stands, as a JSON string. */
export function* rawText(input: Input, after: string, emit: Emit): Steps<void> {
  emit('"');
  yield* rawUntil(input, after, text => emit(JSON.stringify(text).slice(1, -1)));
  emit('"');
}

/** Everything up to `after`, however that is spaced; one line break before it is the format's where `after` has one. */
export function* rawUntil(input: Input, after: string, emit: Emit): Steps<void> {
  const end = after.trim();
  const lead = after.slice(0, after.length - after.trimStart().length);
  for (;;) {
    const found = input.text.indexOf(end);
    if (found >= 0) {
      const text = input.take(found);
      emit(text.endsWith(lead) ? text.slice(0, text.length - lead.length) : text);
      yield* literal(input, after.trimStart());
      return;
    }
    if (input.ended) return emit(input.take(input.text.length));
    emit(input.take(input.text.length - keptLength(input.text, [lead + end, end])));
    yield;
  }
}

export function jsonOf(raw: string, others: Notation): string {
  const text = raw.trim();
  if (isJson(text)) return text;
  return (others === 'json' ? undefined : pythonToJson(text)) ?? JSON.stringify(raw);
}
