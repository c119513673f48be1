import { type Call, isText, TemplateError, typeName, type Value } from './values.ts';

/**
 * The arguments of a call in the order of `signature`, such as 'old! new! count': `!` marks those that must be there;
 * what is left out is undefined.
 */
export function bind(name: string, signature: string, call: Call): Value[] {
  const parameters = signature === '' ? [] : signature.split(' ');
  if (call.positional.length > parameters.length)
    throw new TemplateError(`${name} takes ${parameters.length} arguments, not ${call.positional.length}`);
  const named = new Map(call.named);
  const values = parameters.map((parameter, i) => {
    const required = parameter.endsWith('!');
    const key = required ? parameter.slice(0, -1) : parameter;
    const given = i < call.positional.length;
    if (given && named.has(key)) throw new TemplateError(`${name} got two values for '${key}'`);
    if (required && !given && !named.has(key)) throw new TemplateError(`${name} needs the argument '${key}'`);
    const value = given ? call.positional[i] : named.get(key);
    named.delete(key);
    return value;
  });
  for (const key of named.keys()) throw new TemplateError(`${name} has no argument '${key}'`);
  return values;
}

/** An argument that must be text. */
export function textArgument(value: Value): string {
  if (!isText(value)) throw new TemplateError(`expected a string, not ${typeName(value)}`);
  return value;
}

/** An argument that must be a whole number, `fallback` if it was left out or is none. */
export function intArgument(value: Value, fallback: number): number {
  if (value === undefined || value === null) return fallback;
  if (typeof value === 'boolean') return Number(value);
  if (typeof value !== 'bigint') throw new TemplateError(`expected an integer, not ${typeName(value)}`);
  return Number(value);
}
