import { type ErrorCode, errorCodes } from '../../errors.ts';
import type { Expression, Names } from '../cel/expression.ts';
import type { Fields } from '../document/fields.ts';
import { suggestion } from '../document/near.ts';
import { pipelineLimits } from '../limits.ts';
import type { JsonSchema } from '../schema/types.ts';
import type { Validator } from '../schema/validator.ts';
import type { Rescue, Retry } from './planned.ts';
import type { StepReader } from './reader.ts';

/** The fields that every step has. */
export const stepFields = ['id', 'description', 'when', 'output', 'retry', 'catch', 'timeout_ms'];

/** What a step says of whether it runs, and what becomes of it when it fails. */
export interface Policy {
  readonly when?: Expression | undefined;
  readonly retry?: Retry | undefined;
  readonly rescue?: Rescue | undefined;
  readonly timeoutMs?: number | undefined;
  /** The types of its expressions. Gives what the output is if `catch` makes it. */
  check(names: Names): JsonSchema | undefined;
}

export function readPolicy(fields: Fields, reader: StepReader, validator: Validator | undefined): Policy {
  const whenText = fields.text('when');
  const when = whenText && reader.expression(whenText);
  const caught = readCatch(fields, reader, validator);
  return {
    when,
    retry: readRetry(fields),
    rescue: caught?.rescue,
    timeoutMs: fields.number('timeout_ms', { min: 1, max: pipelineLimits.timeout }),
    check(names) {
      when?.check(names, reader.shared.types, 'bool');
      return caught?.check(names);
    },
  };
}

function readRetry(fields: Fields): Retry | undefined {
  const retry = fields.fields('retry');
  if (!retry) return undefined;
  retry.only(['on', 'max', 'delay_ms', 'factor'], 'a retry');
  return {
    on: readCodes(retry),
    max: retry.number('max', { min: 1, max: pipelineLimits.retries, integer: true }) ?? 1,
    delayMs: retry.number('delay_ms', { min: 0, max: pipelineLimits.delay }) ?? 0,
    factor: retry.number('factor', { min: 1, max: 10 }) ?? 2,
  };
}

function readCodes(fields: Fields): readonly ErrorCode[] | undefined {
  if (!fields.has('on')) return undefined;
  return fields.texts('on').flatMap(text => {
    if (Object.hasOwn(errorCodes, text.value)) return text.value as ErrorCode;
    fields.wrong(text.at(0), `there is no error '${text.value}'${suggestion(text.value, Object.keys(errorCodes))}`);
    return [];
  });
}

interface Catch {
  readonly rescue: Rescue;
  check(names: Names): JsonSchema;
}

/** What is known of the error that `use` may look at. */
const errorSchema: JsonSchema = {
  type: 'object',
  properties: { code: { type: 'string' }, message: { type: 'string' } },
};

function readCatch(fields: Fields, reader: StepReader, validator: Validator | undefined): Catch | undefined {
  const node = fields.fields('catch');
  if (!node) return undefined;
  node.only(['on', 'use', 'default'], 'a catch');
  const on = readCodes(node);
  if (node.has('use') === node.has('default')) {
    node.wrong(fields.at('catch'), "a catch has either 'use', an expression, or 'default', a value");
  }
  const text = node.text('use');
  if (!text) return readDefault(node, on, validator);
  const use = reader.expression(text, ['error']);
  return {
    rescue: { on, value: values => use.evaluate(values.cel) },
    check: names => use.check(new Map(names).set('error', errorSchema), reader.shared.types),
  };
}

function readDefault(fields: Fields, on: Rescue['on'], validator: Validator | undefined): Catch {
  const value = fields.json('default') ?? null;
  const found = value === null ? undefined : validator?.check(value);
  if (found && 'problem' in found) fields.wrong(fields.at('default'), `the default is no output: ${found.problem}`);
  const isNull = value === null;
  return { rescue: { on, value: () => value }, check: () => (isNull ? { type: 'null' } : { const: value }) };
}
