import { Environment } from '@marcbachmann/cel-js';
import type { Fields } from '../document/fields.ts';

const pattern = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;
/** Words of CEL and Jinja, and what pipelines give values to. */
const taken = new Set([
  ...['input', 'error', 'cel', 'optional', 'true', 'false', 'null', 'in', 'as', 'break', 'const', 'continue', 'else'],
  ...['for', 'function', 'if', 'import', 'let', 'loop', 'package', 'namespace', 'return', 'var', 'void', 'while'],
  ...[
    'True',
    'False',
    'None',
    'none',
    'and',
    'or',
    'not',
    'is',
    'range',
    'dict',
    'cycler',
    'joiner',
    'raise_exception',
  ],
  ...['caller', 'varargs', 'kwargs', '__proto__', 'prototype', 'constructor'],
]);
const types = new Environment();

/** A name that values get, so that expressions and templates can ask for them. Mistakes are named. */
export function readName(fields: Fields, key: string, required = false): string | undefined {
  const text = fields.text(key, { required });
  if (!text) return undefined;
  const { value } = text;
  if (!pattern.test(value)) {
    fields.wrong(text.at(0), `'${value}' is no name: letters, digits and _, a letter first, 64 at most`);
  } else if (taken.has(value) || types.hasVariable(value)) {
    fields.wrong(text.at(0), `'${value}' means something else in expressions or templates; use another name`);
  } else return value;
  return undefined;
}
