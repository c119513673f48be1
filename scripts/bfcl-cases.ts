/** BFCL's tools and answers as JSON Schema and calls. */
import type { ToolCall } from '../src/output-format/types.ts';

export type Schema = Readonly<Record<string, unknown>>;

const types: Readonly<Record<string, string>> = {
  ...{ dict: 'object', HashMap: 'object', float: 'number', double: 'number', long: 'integer', tuple: 'array' },
  ...{ Array: 'array', ArrayList: 'array', Boolean: 'boolean', String: 'string', char: 'string' },
};
const known = new Set(['object', 'array', 'string', 'number', 'integer', 'boolean', 'null']);

/** Only what says which values are right: descriptions and defaults make no difference. */
export function jsonSchemaOf(parameters: unknown): Schema {
  const { type, properties, required, items, enum: values } = parameters as Record<string, unknown>;
  const named = types[String(type)] ?? String(type);
  return {
    ...(known.has(named) && { type: named }),
    ...(isObject(properties) && {
      properties: Object.fromEntries(Object.entries(properties).map(([key, each]) => [key, jsonSchemaOf(each)])),
    }),
    ...(Array.isArray(required) && { required }),
    ...(isObject(items) && { items: jsonSchemaOf(items) }),
    ...(Array.isArray(values) && { enum: values }),
  };
}

/** The first of the right answers for each argument, in the order of the schema. */
export function expectedCalls(truth: unknown, tools: ReadonlyMap<string, Schema>): ToolCall[] {
  return (truth as Record<string, Record<string, unknown>>[]).flatMap(call =>
    Object.entries(call).map(([name, options]) => ({
      name,
      id: 'abcdefgh1',
      arguments: JSON.stringify(chosen(options, tools.get(name))),
    })),
  );
}

/** An object whose members are lists of what is right; an empty text among them stands for none. */
function chosen(options: Readonly<Record<string, unknown>>, schema: Schema | undefined): object {
  const properties = (schema?.properties ?? {}) as Record<string, Schema>;
  const required = new Set((schema?.required ?? []) as string[]);
  const keys = [...new Set([...Object.keys(properties), ...Object.keys(options)])].filter(key => key in options);
  const members = keys.flatMap(key => {
    const list = Array.isArray(options[key]) ? (options[key] as unknown[]) : [options[key]];
    const value = list.find(each => each !== '') ?? (required.has(key) ? list[0] : undefined);
    return value === undefined ? [] : [[key, chosenValue(value, properties[key])] as const];
  });
  return Object.fromEntries(members);
}

function chosenValue(value: unknown, schema: Schema | undefined): unknown {
  if (Array.isArray(value)) return value.map(each => chosenValue(each, schema?.items as Schema | undefined));
  return isObject(value) ? chosen(value, schema) : value;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
