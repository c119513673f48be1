import { commonMultiple, compareDecimals, decimal, isMultiple } from './decimal.ts';
import type { ArrayForm, Bound, Form, NumberForm, ObjectForm, SchemaAlgebra, StringForm } from './forms.ts';

/** What has a form of both lists: each with each, where the types are the same. */
export function intersectForms(a: readonly Form[], b: readonly Form[], nodes: SchemaAlgebra): readonly Form[] {
  nodes.budget.spend(a.length + b.length);
  const forms: Form[] = [];
  for (const first of a) {
    for (const second of b) {
      if (first.type !== second.type) continue;
      nodes.budget.spend(1);
      const form = intersectTwo(first, second, nodes);
      if (form) forms.push(form);
    }
  }
  return forms;
}

function intersectTwo(a: Form, b: Form, nodes: SchemaAlgebra): Form | undefined {
  switch (a.type) {
    case 'null':
      return a;
    case 'boolean':
      return a.value === (b as typeof a).value ? a : undefined;
    case 'number':
      return intersectNumbers(a, b as NumberForm);
    case 'string':
      return intersectStrings(a, b as StringForm, nodes);
    case 'array':
      return intersectArrays(a, b as ArrayForm, nodes);
    case 'object':
      return intersectObjects(a, b as ObjectForm);
    default:
      return a satisfies never;
  }
}

function intersectNumbers(a: NumberForm, b: NumberForm): NumberForm | undefined {
  if (a.integer !== undefined && b.integer !== undefined && a.integer !== b.integer) return undefined;
  return checkedNumber({
    type: 'number',
    integer: a.integer ?? b.integer,
    min: tighter(a.min, b.min, 1),
    max: tighter(a.max, b.max, -1),
    multipleOf:
      a.multipleOf && b.multipleOf ? commonMultiple(a.multipleOf, b.multipleOf) : (a.multipleOf ?? b.multipleOf),
  });
}

function tighter(a: Bound | undefined, b: Bound | undefined, side: 1 | -1): Bound | undefined {
  if (!a || !b) return a ?? b;
  const order = compareDecimals(a.value, b.value) * side;
  if (order === 0) return a.exclusive ? a : b;
  return order > 0 ? a : b;
}

/** The form, or undefined where no number has it, as far as is seen at once. */
export function checkedNumber(form: NumberForm): NumberForm | undefined {
  const { min, max, integer, multipleOf } = form;
  if (!min || !max) return form;
  const order = compareDecimals(min.value, max.value);
  if (order > 0) return undefined;
  if (order < 0) return form;
  if (min.exclusive || max.exclusive) return undefined;
  if (integer !== undefined && isMultiple(min.value, decimal(1)) !== integer) return undefined;
  return multipleOf && !isMultiple(min.value, multipleOf) ? undefined : form;
}

function intersectStrings(a: StringForm, b: StringForm, nodes: SchemaAlgebra): StringForm | undefined {
  const content = nodes.text.intersection([a.content, b.content]);
  let values =
    a.values && b.values ? new Set([...a.values].filter(value => b.values!.has(value))) : (a.values ?? b.values);
  if (values && content !== nodes.text.anyText) {
    nodes.budget.spend(values.size);
    values = new Set([...values].filter(value => nodes.tests.matches(content, JSON.stringify(value).slice(1, -1))));
  }
  if (values ? values.size === 0 : nodes.tests.isNothing(content)) return undefined;
  return { type: 'string', values, content: values ? nodes.text.anyText : content };
}

function intersectArrays(a: ArrayForm, b: ArrayForm, nodes: SchemaAlgebra): ArrayForm | undefined {
  const min = Math.max(a.min, b.min);
  const max = Math.min(a.max, b.max);
  if (min > max) return undefined;
  const prefix = Array.from({ length: Math.max(a.prefix.length, b.prefix.length) }, (_, at) =>
    nodes.and([a.prefix[at] ?? a.items, b.prefix[at] ?? b.items]),
  );
  const contains = [...new Set([...a.contains, ...b.contains])];
  return { type: 'array', prefix, items: nodes.and([a.items, b.items]), contains, min, max };
}

function intersectObjects(a: ObjectForm, b: ObjectForm): ObjectForm | undefined {
  const required = new Set([...a.required, ...b.required]);
  const max = Math.min(a.max, b.max);
  const min = Math.max(a.min, b.min);
  if (min > max || required.size > max) return undefined;
  return { type: 'object', layers: [...a.layers, ...b.layers], required, min, max };
}
