import { isMap, isScalar, isSeq, type Node } from 'yaml';
import type { Expression, Names } from '../cel/expression.ts';
import { type Fields, toJson } from '../document/fields.ts';
import { textOf } from '../document/text.ts';
import type { JsonSchema } from '../schema/types.ts';
import type { StepReader } from './reader.ts';
import type { Values } from './values.ts';

/** A value that is written down with expressions in it: one of them, or a mapping or list in which every text is one. */
export interface Form {
  check(names: Names): JsonSchema;
  value(values: Values): unknown;
}

/** `input` of a step. Absent: the pipeline's own input. */
export function readInput(fields: Fields, reader: StepReader): Form {
  const node = fields.get('input');
  if (node) return readForm(node, reader);
  reader.references.set('input', fields.at('id'));
  return { check: () => true, value: values => values.json('input') };
}

export function readForm(node: Node | null, reader: StepReader): Form {
  if (isMap(node)) {
    const each = node.items.map(({ key, value }) => [String(toJson(key as Node)), value as Node | null] as const);
    return mapping(each.map(([key, value]) => [key, readForm(value, reader)]));
  }
  if (isSeq(node)) return list((node.items as Node[]).map(each => readForm(each, reader)));
  const text = isScalar(node) && typeof node.value === 'string' ? textOf(node, reader.shared.source) : undefined;
  return text ? computed(reader.expression(text), reader) : constant(toJson(node ?? undefined) ?? null);
}

function mapping(inner: readonly (readonly [string, Form])[]): Form {
  return {
    check: names => ({
      type: 'object',
      properties: Object.fromEntries(inner.map(([key, each]) => [key, each.check(names)])),
      required: inner.map(([key]) => key),
    }),
    value: values => Object.fromEntries(inner.map(([key, each]) => [key, each.value(values)])),
  };
}

function list(inner: readonly Form[]): Form {
  return {
    check: names => ({ type: 'array', prefixItems: inner.map(each => each.check(names)) }),
    value: values => inner.map(each => each.value(values)),
  };
}

function computed(expression: Expression, { shared }: StepReader): Form {
  return {
    check: names => expression.check(names, shared.types),
    value: values => expression.evaluate(values.cel),
  };
}

const constant = (value: unknown): Form => ({ check: () => ({ const: value }), value: () => value });
