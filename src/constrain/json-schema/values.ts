import { unsupported } from './budget.ts';
import { decimal } from './decimal.ts';
import type { Form, SchemaAlgebra, SchemaNode } from './forms.ts';

/** The forms of `const` and `enum`: these values and no others. */
export function valueForms(
  values: readonly unknown[],
  nodes: SchemaAlgebra,
  path: string,
  keyword: string,
): readonly Form[] {
  const texts = new Set<string>();
  const forms: Form[] = [];
  for (const value of values) {
    nodes.budget.spend(1);
    if (typeof value === 'string') texts.add(checkedText(value, path, keyword));
    else forms.push(valueForm(value, nodes, path, keyword));
  }
  if (texts.size > 0) forms.push({ type: 'string', values: texts, content: nodes.text.anyText });
  return forms;
}

function valueForm(value: unknown, nodes: SchemaAlgebra, path: string, keyword: string): Form {
  if (value === null) return { type: 'null' };
  if (typeof value === 'boolean') return { type: 'boolean', value };
  if (typeof value === 'number')
    return { type: 'number', integer: undefined, min: exactly(value), max: exactly(value) };
  const node = (part: unknown): SchemaNode => {
    const key = `(= ${JSON.stringify(part)})`;
    return nodes.of(key, path, () => valueForms([part], nodes, path, keyword));
  };
  if (Array.isArray(value)) {
    const { length } = value;
    return { type: 'array', prefix: value.map(node), items: nodes.never, contains: [], min: length, max: length };
  }
  const members = Object.entries(value as object);
  const properties = new Map(members.map(([name, part]) => [checkedText(name, path, keyword), node(part)]));
  const layer = { properties, patterns: [], additional: nodes.never };
  return {
    type: 'object',
    layers: [layer],
    required: new Set(properties.keys()),
    min: 0,
    max: Number.POSITIVE_INFINITY,
  };
}

function exactly(value: number): { value: ReturnType<typeof decimal>; exclusive: false } {
  return { value: decimal(value), exclusive: false };
}

/** Half a surrogate pair is no character, and no answer has one. */
export function checkedText(text: string, path: string, keyword: string): string {
  if (!text.isWellFormed()) throw unsupported(keyword, path, 'a text in it has half a surrogate pair');
  return text;
}
