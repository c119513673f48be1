import type { Reading, Steps } from './events.ts';
import type { Input } from './input.ts';
import { scanJson } from './json-scan.ts';
import { hasStart, literal, longestName, matchLiteral, matchRun, nameChar, skipSpace } from './literal.ts';
import { hasMember, readNested } from './nested-arguments.ts';
import { scanQuotedJson } from './quoted-json.ts';
import { jsonOf, rawText, rawUntil } from './raw-text.ts';
import type { ArgumentStyle, CallPart, TaggedArguments } from './types.ts';

type Emit = (text: string) => void;

interface Place {
  readonly index: number;
  readonly name: string;
  /** What stands behind the arguments. */
  readonly next: CallPart | undefined;
}

/** Reads a call's arguments and gives them out as JSON. */
export function* readArguments(reading: Reading, style: ArgumentStyle, { index, name, next }: Place): Steps<void> {
  const { input } = reading;
  const emit = (text: string) => reading.emit({ kind: 'arguments', index, text });
  yield* skipSpace(input);
  if (style.kind === 'json') {
    if (style.quote === undefined) yield* scanJson(input, emit);
    else yield* scanQuotedJson(input, style.quote, emit);
    return;
  }
  const schema = reading.tools.get(name);
  const properties = schema?.properties ?? {};
  emit('{');
  let count = 0;
  while (yield* hasArgument(input, style, count, next)) {
    const key = input.take(yield* matchRun(input, nameChar, longestName));
    const asText = key === '' ? undefined : yield* takeMiddle(input, style.middle, properties[key]);
    if (asText === undefined) break;
    emit(`${count++ > 0 ? ', ' : ''}${JSON.stringify(key)}: `);
    if (style.items === undefined) yield* readValue(input, style, asText, emit);
    else yield* readNested(input, style, { schema: properties[key], root: schema, depth: 0 }, emit);
  }
  emit('}');
}

/** Takes what stands before the next argument; false where there is none. */
function* hasArgument(input: Input, style: TaggedArguments, count: number, next: CallPart | undefined): Steps<boolean> {
  if (style.items !== undefined && !(yield* hasMember(input, style))) return false;
  const lead = (count > 0 ? style.between : '') + style.before;
  if (lead !== '') return yield* literal(input, lead);
  return next?.kind !== 'text' || (yield* matchLiteral(input, next.text)) === undefined;
}

/** Takes what stands between key and value; says whether the value is a text, or undefined where something else stands there. */
function* takeMiddle(input: Input, middle: TaggedArguments['middle'], schema: unknown): Steps<boolean | undefined> {
  const isText = typeof schema === 'object' && schema !== null && 'type' in schema && schema.type === 'string';
  if (typeof middle === 'string') return (yield* literal(input, middle)) ? isText : undefined;
  for (const [type, text] of Object.entries(middle)) if (yield* literal(input, text)) return type === 'string';
  return undefined;
}

function* readValue(input: Input, style: TaggedArguments, asText: boolean, emit: Emit): Steps<void> {
  const { strings, others, after, wrapped } = style;
  if (wrapped && (yield* hasStart(input, wrapped.open))) {
    input.take(wrapped.open.length);
    yield* rawText(input, wrapped.close, emit);
    yield* literal(input, after);
    return;
  }
  if (strings === 'raw') {
    if (asText) return yield* rawText(input, after, emit);
    let raw = '';
    yield* rawUntil(input, after, text => {
      raw += text;
    });
    emit(jsonOf(raw, others));
    return;
  }
  if (strings === 'json') yield* scanJson(input, emit);
  else emit(jsonOf(yield* pythonText(input), 'python'));
  yield* literal(input, after);
}

/** A Python literal: a string, a bracketed expression, or a word. */
function* pythonText(input: Input): Steps<string> {
  let depth = 0;
  let quote: string | undefined;
  for (let at = 0; ; at++) {
    if (!(yield* input.has(at + 1))) return input.take(at);
    const char = input.text[at] ?? '';
    if (quote !== undefined) {
      if (char === '\\') at++;
      else if (char === quote) quote = undefined;
      continue;
    }
    if (depth === 0 && /[,)\]}]/.test(char)) return input.take(at);
    if (char === "'" || char === '"') quote = char;
    else if (/[([{]/.test(char)) depth++;
    else if (/[)\]}]/.test(char)) depth--;
  }
}
