import type { Steps } from './events.ts';
import type { Input } from './input.ts';
import { hasStart, literal, longestName, matchLiteral, matchRun, nameChar, skipSpace } from './literal.ts';
import { jsonOf, rawText, rawUntil } from './raw-text.ts';
import { optionsOf, writtenTypes } from './schema-options.ts';
import { KEY, type TaggedArguments } from './types.ts';

type Emit = (text: string) => void;

/** A value in a value in …; deeper ones are text. */
const deepest = 64;

interface Place {
  readonly schema: unknown;
  /** Of all the arguments: what references begin at. */
  readonly root: unknown;
  readonly depth: number;
}

/** Takes a value and what ends it. Objects and lists are written as arguments are; the schema tells which one it is. */
export function* readNested(input: Input, style: TaggedArguments, place: Place, emit: Emit): Steps<void> {
  const { schema, root, depth } = place;
  const options = optionsOf(schema, root);
  const types = writtenTypes(options);
  const [end = ''] = style.after.split(KEY);
  const holds = (type: string) => types.has(type) || types.size === 0;
  const isNested = (holds('object') || holds('array')) && depth < deepest;
  if (isNested && (yield* hasMember(input, style))) {
    const isList =
      types.has('array') && !(types.has('object') && !(yield* hasStart(input, style.before + style.items)));
    const isUnknownList = types.size === 0 && (yield* hasStart(input, style.before + style.items + style.middle));
    yield* readMembers(input, style, { options, root, depth, isList: isList || isUnknownList }, emit);
    yield* skipSpace(input);
    yield* literal(input, end);
  } else if (types.has('string') && types.size === 1) yield* rawText(input, end, emit);
  else {
    let raw = '';
    yield* rawUntil(input, end, text => {
      raw += text;
    });
    emit(plainValue(raw, types, style));
  }
  yield* takeKey(input, style);
}

/** The key behind the value, whichever it is: all keys end alike. */
function* takeKey(input: Input, { after }: TaggedArguments): Steps<void> {
  input.take(yield* matchRun(input, nameChar, longestName));
  yield* literal(input, after.slice(after.indexOf(KEY) + KEY.length));
}

/** What is empty is a list, an object or nothing: a text would have its quotes where other types are possible. */
function plainValue(raw: string, types: ReadonlySet<string>, { others }: TaggedArguments): string {
  if (raw.trim() !== '' || types.size === 0) return jsonOf(raw, others);
  if (types.has('array')) return '[]';
  if (types.has('object')) return '{}';
  return types.has('null') ? 'null' : jsonOf(raw, others);
}

/** A member begins here, and not the end of what is around it. */
export function* hasMember(input: Input, { before, after }: TaggedArguments): Steps<boolean> {
  const at = yield* matchLiteral(input, before);
  if (at === undefined || !(yield* input.has(at + 1))) return false;
  const end = after.slice(0, after.indexOf(KEY));
  return !(yield* hasStart(input, end)) && nameChar.test(input.text[at] ?? '');
}

interface Members {
  readonly options: readonly Readonly<Record<string, unknown>>[];
  readonly root: unknown;
  readonly depth: number;
  readonly isList: boolean;
}

function* readMembers(input: Input, style: TaggedArguments, members: Members, emit: Emit): Steps<void> {
  const { options, root, depth, isList } = members;
  const [open, close] = isList ? '[]' : '{}';
  emit(open ?? '');
  for (let count = 0; yield* hasMember(input, style); count++) {
    yield* literal(input, style.before);
    const key = input.take(yield* matchRun(input, nameChar, longestName));
    if (!(yield* literal(input, style.middle as string))) break;
    emit(count > 0 ? ', ' : '');
    if (!isList) emit(`${JSON.stringify(key)}: `);
    const schema = isList ? options.find(({ items }) => items !== undefined)?.items : propertyOf(options, key);
    yield* readNested(input, style, { schema, root, depth: depth + 1 }, emit);
  }
  emit(close ?? '');
}

function propertyOf(options: Members['options'], key: string): unknown {
  for (const { properties } of options) {
    if (typeof properties === 'object' && properties !== null && Object.hasOwn(properties, key))
      return (properties as Record<string, unknown>)[key];
  }
  return options.find(({ additionalProperties }) => additionalProperties !== undefined)?.additionalProperties;
}
