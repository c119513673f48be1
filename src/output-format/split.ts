import type { ProbeCall } from './probes.ts';

export type FieldKind = 'name' | 'id' | 'arguments' | 'key' | 'value';

/** A rendering of calls, cut at what the probes said. */
export interface Split {
  /** Before the first call's first field. */
  readonly start: string;
  readonly calls: readonly SplitCall[];
  /** From a call's last field to the next one's first. */
  readonly between: readonly string[];
  /** Behind the last field. */
  readonly end: string;
}

export interface SplitCall {
  readonly fields: readonly FieldKind[];
  /** Between one field and the next. [fields - 1] */
  readonly texts: readonly string[];
}

interface Field {
  readonly kind: FieldKind;
  readonly start: number;
  readonly end: number;
}

/** The fields of the calls in the order in which they stand, and the texts around them; undefined where one is missing. */
export function split(text: string, calls: readonly ProbeCall[]): Split | undefined {
  const all: Field[][] = [];
  for (const call of calls) {
    const fields = fieldsOf(text, call, all.at(-1)?.at(-1)?.end ?? 0);
    if (!fields) return undefined;
    all.push(fields);
  }
  const first = (fields: readonly Field[]): number => fields[0]?.start ?? 0;
  const last = (fields: readonly Field[]): number => fields.at(-1)?.end ?? 0;
  const ends = all.map(last);
  return {
    start: text.slice(0, first(all[0] ?? [])),
    calls: all.map(fields => ({
      fields: fields.map(({ kind }) => kind),
      texts: fields.slice(1).map(({ start }, i) => text.slice(fields[i]?.end, start)),
    })),
    between: all.slice(1).map((fields, i) => text.slice(ends[i], first(fields))),
    end: text.slice(ends.at(-1)),
  };
}

function fieldsOf(text: string, { name, id, arguments: given }: ProbeCall, from: number): Field[] | undefined {
  const fields = [find(text, 'name', name, from)];
  if (text.includes(id, from)) fields.push(find(text, 'id', id, from));
  const json = findJson(text, given, from);
  if (json) fields.push(json);
  else {
    let place = from;
    for (const [key, value] of Object.entries(given)) {
      const at = find(text, 'key', key, place);
      const content = at && find(text, 'value', String(value), at.end);
      fields.push(at, content);
      place = content?.end ?? place;
    }
  }
  const found = fields.filter(field => field !== undefined);
  return found.length < fields.length ? undefined : found.sort((a, b) => a.start - b.start);
}

function find(text: string, kind: FieldKind, value: string, from: number): Field | undefined {
  const start = text.indexOf(value, from);
  return start < 0 ? undefined : { kind, start, end: start + value.length };
}

/** The value as JSON, however it is spaced. */
function findJson(text: string, value: Readonly<Record<string, unknown>>, from: number): Field | undefined {
  const parts = JSON.stringify(value).match(/"(?:[^"\\]|\\.)*"|[^"]/g) ?? [];
  const pattern = new RegExp(parts.map(part => RegExp.escape(part)).join('\\s*'), 'g');
  pattern.lastIndex = from;
  const match = pattern.exec(text);
  return match ? { kind: 'arguments', start: match.index, end: match.index + match[0].length } : undefined;
}
