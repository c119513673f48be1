import { pythonText } from './python-literal.ts';
import { quotedJson } from './quoted-json.ts';
import { type ArgumentStyle, KEY, type TaggedArguments, type ToolCall, type ToolFormat } from './types.ts';
import { typeOf } from './values.ts';

/** Calls as the model writes them, for templates that know none. */
export function writeCalls(format: ToolFormat, calls: readonly ToolCall[]): string {
  return format.begin + calls.map((call, i) => writeCall(format, call, i)).join(format.between ?? '\n') + format.end;
}

function writeCall({ call }: ToolFormat, { id = '', name, arguments: given }: ToolCall, index: number): string {
  return call
    .map(part => {
      if (part.kind === 'text') return part.text;
      if (part.kind === 'name') return name;
      if (part.kind === 'id') return id;
      return part.kind === 'index' ? String(part.base + index) : writeArguments(part.style, given);
    })
    .join('');
}

function writeArguments(style: ArgumentStyle, json: string): string {
  if (style.kind === 'json') return style.quote === undefined ? json : quotedJson(JSON.parse(json), style.quote);
  return writeMembers(style, Object.entries(JSON.parse(json) as object));
}

function writeMembers(style: TaggedArguments, members: readonly (readonly [string, unknown])[]): string {
  const written = style.items === undefined ? members : members.filter(([, value]) => value !== null);
  return written
    .map(([key, value]) => style.before + key + writeValue(style, value) + style.after.replace(KEY, key))
    .join(style.between);
}

function writeValue(style: TaggedArguments, value: unknown): string {
  const { middle, strings, others, wrapped, items } = style;
  const isContainer = typeof value === 'object' && value !== null;
  const notation = typeof value === 'string' ? strings : others === 'mixed' && isContainer ? 'json' : others;
  const before = typeof middle === 'string' ? middle : middle[typeOf(value)];
  if (isContainer && items !== undefined)
    return (
      before + writeMembers(style, Array.isArray(value) ? value.map(each => [items, each]) : Object.entries(value))
    );
  if (wrapped && typeof value === 'string' && /[<&\n]/.test(value))
    return before + wrapped.open + String(value) + wrapped.close;
  if (notation === 'raw') return before + String(value);
  return before + (notation === 'json' ? JSON.stringify(value) : pythonText(value));
}
