import { mixedCall } from './probes.ts';
import type { JsonType, TaggedArguments } from './types.ts';

type Values = Pick<TaggedArguments, 'middle' | 'after' | 'strings' | 'others'>;
/** What stands before and behind the value of a text, and from there to the next key. */
interface Around {
  readonly middle: string;
  readonly after: string;
  readonly next: string;
}

const quotes: Readonly<Record<string, 'json' | 'python'>> = { '"': 'json', "'": 'python' };

/** How values of different types are written, from the rendering of a call that has all. */
export function valuesOf({ middle, after, next }: Around, text: string): Values | undefined {
  const unquoted = otherValues({ middle, after, next }, text);
  if (unquoted) return { ...unquoted, after, strings: 'raw' };
  const quote = middle.at(-1) ?? '';
  const strings = quotes[quote];
  if (!strings || !after.startsWith(quote)) return undefined;
  const inner = { middle: middle.slice(0, -1), after: after.slice(1), next };
  const quoted = otherValues(inner, text);
  return quoted && { ...quoted, after: inner.after, strings };
}

function otherValues({ middle, after, next }: Around, text: string): Pick<Values, 'middle' | 'others'> | undefined {
  const middles: Partial<Record<JsonType, string>> = { string: middle };
  let others: Values['others'] = 'json';
  const entries = Object.entries(mixedCall.arguments);
  for (const [i, [key, value]] of entries.slice(0, -1).entries()) {
    const from = text.indexOf(key) + key.length;
    if (from < key.length) continue;
    const to = text.indexOf(`${after}${next}${entries[i + 1]?.[0]}`, from);
    const written = text.slice(from, Math.max(to, from));
    const found = writings(value).find(({ text: as }) => written.endsWith(as));
    if (!found) return undefined;
    if (found.kind === 'python')
      others = typeof value === 'object' && value !== null ? 'python' : notContainers(others);
    middles[typeOf(value)] = written.slice(0, written.length - found.text.length);
  }
  const all = { ...withDefault(middles, middles.number ?? middle), string: middle };
  return { middle: Object.values(all).every(each => each === middle) ? middle : all, others };
}

const notContainers = (others: Values['others']): Values['others'] => (others === 'python' ? 'python' : 'mixed');

function withDefault(middles: Partial<Record<JsonType, string>>, other: string): Record<JsonType, string> {
  const none = { string: other, number: other, boolean: other, null: other, array: other, object: other };
  return { ...none, ...middles };
}

export function typeOf(value: unknown): JsonType {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return typeof value as JsonType;
}

/** As JSON, compact or not, and as Python. */
function writings(value: unknown): { kind: 'json' | 'python'; text: string }[] {
  const compact = JSON.stringify(value);
  const spaced = compact.replace(/([,:])/g, '$1 ');
  const words: Readonly<Record<string, string>> = { true: 'True', false: 'False', null: 'None', '"': "'" };
  const python = spaced.replace(/true|false|null|"/g, word => words[word] ?? word);
  return [
    { kind: 'json', text: compact },
    { kind: 'json', text: spaced },
    { kind: 'python', text: python },
  ];
}
