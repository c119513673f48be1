import { readArguments } from './argument-parser.ts';
import { takeBegunCall, takeCutOff } from './cut-off.ts';
import type { Reading, Steps } from './events.ts';
import { literal, longestName, matchLiteral, matchRun, nameChar, skipSpace } from './literal.ts';
import type { CallPart, ToolFormat } from './types.ts';

/** Calls at the input's beginning, `before` the first one; false, and nothing is taken, where there is none. */
export function* readCalls(reading: Reading, format: ToolFormat, before = format.begin): Steps<boolean> {
  const { input } = reading;
  if (!(yield* readCall(reading, format, before))) return false;
  for (;;) {
    if (format.between !== undefined && (yield* readCall(reading, format, format.between))) continue;
    yield* skipSpace(input);
    if (format.end !== '' && !(yield* literal(input, format.end))) takeCutOff(reading, format.end);
    takeBegunCall(reading, format);
    return true;
  }
}

/** One call behind `before`. Nothing is taken until its name is known. */
function* readCall(reading: Reading, { call, also = [] }: ToolFormat, before: string): Steps<boolean> {
  for (const parts of [call, ...also]) {
    const head = yield* readHead(reading, parts, before);
    if (head) return yield* readRest(reading, head);
  }
  return false;
}

function* readRest(reading: Reading, head: Head): Steps<true> {
  const { input } = reading;
  const { id, name, rest } = head;
  const index = reading.newCall();
  reading.emit({ kind: 'call', index, ...(id !== undefined && { id }), name });
  for (const [i, part] of rest.entries()) {
    if (part.kind === 'text' && !(yield* literal(input, part.text))) {
      // Where the answer was cut off inside the call, what is left is of it.
      if (input.ended) input.take(input.text.length);
      break;
    }
    if (part.kind === 'id' || part.kind === 'index') input.take(yield* matchRun(input, nameChar, longestName));
    if (part.kind === 'arguments') yield* readArguments(reading, part.style, { index, name, next: rest[i + 1] });
  }
  reading.emit({ kind: 'callEnd', index });
  return true;
}

interface Head {
  readonly id?: string;
  readonly name: string;
  /** The parts from the arguments on. */
  readonly rest: readonly CallPart[];
}

/** What stands before a call's arguments; undefined, and nothing taken, where it is no call of a tool that there is. */
function* readHead({ input, tools }: Reading, parts: readonly CallPart[], before: string): Steps<Head | undefined> {
  const until = parts.findIndex(({ kind }) => kind === 'arguments');
  let at = yield* matchLiteral(input, before);
  const found: { id?: string; name?: string } = {};
  for (const part of parts.slice(0, until)) {
    if (at === undefined) return undefined;
    if (part.kind === 'text') at = yield* matchLiteral(input, part.text, at);
    else if (part.kind === 'name' && found.name !== undefined) at = yield* matchLiteral(input, found.name, at);
    else {
      const end: number = yield* matchRun(input, nameChar, longestName, at);
      if (part.kind === 'name' || part.kind === 'id') found[part.kind] = input.text.slice(at, end);
      at = end;
    }
  }
  const { name } = found;
  if (at === undefined || name === undefined || !tools.has(name)) return undefined;
  input.take(at);
  return { ...found, name, rest: parts.slice(until) };
}
