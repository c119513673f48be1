import type { Reading, Steps, ToolSchemas } from './events.ts';
import { matchJson } from './json-scan.ts';
import { matchLiteral } from './literal.ts';

/** Models write calls as code in Markdown, whatever they were told. */
export const fence = '```';
const openings = ['```json', '```'];
/** Longer code is no call. */
const longest = 1 << 16;

/** A call in a block of code at the input's beginning, if it fits a tool; false, and nothing is taken, where it does not. */
export function* readFencedCall(reading: Reading): Steps<boolean> {
  for (const opening of openings) if (yield* readPlainCall(reading, opening, fence)) return true;
  return false;
}

/** The same without a block: small models leave out what their format writes around a call. */
export const readBareCall = (reading: Reading): Steps<boolean> => readPlainCall(reading, '', '');

function* readPlainCall(reading: Reading, opening: string, closing: string): Steps<boolean> {
  const { input } = reading;
  if ((yield* matchLiteral(input, `${opening}{"name":`)) === undefined) return false;
  const start = input.text.indexOf('{');
  const end = yield* matchJson(input, start, longest);
  const closed = end === undefined ? undefined : yield* matchLiteral(input, closing, end);
  const call = closed === undefined ? undefined : fittingCall(input.text.slice(start, end), reading.tools);
  if (closed === undefined || !call) return false;
  input.take(closed);
  const index = reading.newCall();
  reading.emit({ kind: 'call', index, name: call.name });
  reading.emit({ kind: 'arguments', index, text: call.arguments });
  reading.emit({ kind: 'callEnd', index });
  return true;
}

function fittingCall(json: string, tools: ToolSchemas): { name: string; arguments: string } | undefined {
  try {
    const { name, arguments: given, parameters = given, ...others } = JSON.parse(json);
    if (Object.keys(others).length > 0 || !tools.has(name)) return undefined;
    if (typeof parameters !== 'object' || parameters === null || Array.isArray(parameters)) return undefined;
    const { properties = {}, required = [], additionalProperties, patternProperties } = tools.get(name) ?? {};
    if (!required.every(key => Object.hasOwn(parameters, key))) return undefined;
    const open = additionalProperties !== false || patternProperties !== undefined;
    if (!open && !Object.keys(parameters).every(key => Object.hasOwn(properties, key))) return undefined;
    return { name, arguments: JSON.stringify(parameters) };
  } catch {
    return undefined;
  }
}
