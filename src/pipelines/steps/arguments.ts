import { isMap, isScalar, isSeq, type Node } from 'yaml';
import type { Names } from '../cel/expression.ts';
import { type Fields, toJson } from '../document/fields.ts';
import { textOf } from '../document/text.ts';
import type { StepReader } from '../plan/reader.ts';
import type { Values } from '../plan/values.ts';

/** What a program or a tool is given. */
export interface StepInput {
  check(names: Names): void;
  value(values: Values): unknown;
}

/** `input` of a step: an expression, or a mapping or list in which every text is one. Absent: the pipeline's own input. */
export function readInput(fields: Fields, reader: StepReader): StepInput {
  const node = fields.get('input');
  if (node) return read(node, reader);
  reader.references.set('input', fields.at('id'));
  return { check: () => {}, value: values => values.json('input') };
}

function read(node: Node, reader: StepReader): StepInput {
  if (isMap(node)) {
    const inner = node.items.map(
      ({ key, value }) => [String(toJson(key as Node)), read(value as Node, reader)] as const,
    );
    return {
      check(names) {
        for (const [, each] of inner) each.check(names);
      },
      value: values => Object.fromEntries(inner.map(([key, each]) => [key, each.value(values)])),
    };
  }
  if (isSeq(node)) {
    const inner = (node.items as Node[]).map(each => read(each, reader));
    return {
      check(names) {
        for (const each of inner) each.check(names);
      },
      value: values => inner.map(each => each.value(values)),
    };
  }
  const text = isScalar(node) && typeof node.value === 'string' ? textOf(node, reader.shared.source) : undefined;
  if (!text) {
    const value = toJson(node ?? undefined) ?? null;
    return { check: () => {}, value: () => value };
  }
  const expression = reader.expression(text);
  return {
    check: names => expression.check(names, reader.shared.types),
    value: values => expression.evaluate(values.cel),
  };
}
