import { unsupported } from './budget.ts';
import { decimal, isMultiple } from './decimal.ts';
import type { ArrayForm, Bound, Form, Layer, NumberForm, ObjectForm, SchemaAlgebra, StringForm } from './forms.ts';
import { checkedNumber } from './intersect.ts';

/** What has none of the forms. Not everything can be said so: "some item is not …" has no form. */
export function negateForms(forms: readonly Form[], nodes: SchemaAlgebra, path: string): readonly Form[] {
  return forms.reduce<readonly Form[]>(
    (left, form) => nodes.intersect(left, [...otherTypes(form, nodes), ...negateForm(form, nodes, path)]),
    nodes.anyForms(),
  );
}

function otherTypes(form: Form, nodes: SchemaAlgebra): Form[] {
  return nodes.anyForms().filter(other => other.type !== form.type);
}

function negateForm(form: Form, nodes: SchemaAlgebra, path: string): Form[] {
  switch (form.type) {
    case 'null':
      return [];
    case 'boolean':
      return [{ type: 'boolean', value: !form.value }];
    case 'number':
      return negateNumber(form, path);
    case 'string':
      return negateString(form, nodes);
    case 'array':
      return negateArray(form, nodes, path);
    case 'object':
      return negateObject(form, nodes, path);
    default:
      return form satisfies never;
  }
}

function negateNumber(form: NumberForm, path: string): Form[] {
  if (form.multipleOf && !(form.integer && isMultiple(decimal(1), form.multipleOf))) {
    throw unsupported('multipleOf', path, 'it stands under not, if or an oneOf whose parts overlap');
  }
  const parts: NumberForm[] = [];
  const flipped = ({ value, exclusive }: Bound): Bound => ({ value, exclusive: !exclusive });
  if (form.integer !== undefined) parts.push({ type: 'number', integer: !form.integer });
  if (form.min) parts.push({ type: 'number', integer: undefined, max: flipped(form.min) });
  if (form.max) parts.push({ type: 'number', integer: undefined, min: flipped(form.max) });
  return parts.filter(part => checkedNumber(part) !== undefined);
}

function negateString(form: StringForm, nodes: SchemaAlgebra): Form[] {
  const { text, tests } = nodes;
  let content = form.content;
  if (form.values) {
    const values = [...form.values].map(value => text.spellings(value));
    content = text.regexes.and([content, text.regexes.or(values)]);
  }
  const other = text.complement(content);
  return tests.isNothing(other) ? [] : [{ type: 'string', values: undefined, content: other }];
}

function negateArray(form: ArrayForm, nodes: SchemaAlgebra, path: string): Form[] {
  const any = {
    type: 'array',
    prefix: [],
    items: nodes.any,
    contains: [],
    min: 0,
    max: Number.POSITIVE_INFINITY,
  } as const;
  const parts: Form[] = form.contains.map(node => ({ ...any, items: nodes.not(node) }));
  if (form.items !== nodes.any && form.max > form.prefix.length) {
    if (form.prefix.length > 0)
      throw unsupported('items', path, 'it stands under not, if or an oneOf whose parts overlap');
    parts.push({ ...any, contains: [nodes.not(form.items)], min: 1 });
  }
  if (form.min > 0) parts.push({ ...any, max: form.min - 1 });
  if (form.max < Number.POSITIVE_INFINITY) parts.push({ ...any, min: form.max + 1 });
  for (const [at, node] of form.prefix.entries()) {
    const before = Array.from({ length: at }, () => nodes.any);
    if (node !== nodes.any) parts.push({ ...any, prefix: [...before, nodes.not(node)], min: at + 1 });
  }
  return parts;
}

function negateObject(form: ObjectForm, nodes: SchemaAlgebra, path: string): Form[] {
  const any = {
    type: 'object',
    layers: [],
    required: new Set<string>(),
    min: 0,
    max: Number.POSITIVE_INFINITY,
  } as const;
  const parts: Form[] = [];
  for (const name of form.required) parts.push({ ...any, layers: [only(name, nodes.never, nodes)] });
  if (form.min > form.required.size) parts.push({ ...any, max: form.min - 1 });
  if (form.max < Number.POSITIVE_INFINITY) parts.push({ ...any, min: form.max + 1 });
  for (const layer of form.layers) {
    if (layer.patterns.length > 0 || layer.additional !== nodes.any) {
      const keyword = layer.patterns.length > 0 ? 'patternProperties' : 'additionalProperties';
      throw unsupported(keyword, path, 'it stands under not, if or an oneOf whose parts overlap');
    }
    for (const [name, node] of layer.properties) {
      if (node === nodes.any) continue;
      parts.push({ ...any, layers: [only(name, nodes.not(node), nodes)], required: new Set([name]) });
    }
  }
  return parts;
}

/** A layer that says something of one member alone. */
export function only(name: string, node: Layer['additional'], nodes: SchemaAlgebra): Layer {
  return { properties: new Map([[name, node]]), patterns: [], additional: nodes.any };
}
