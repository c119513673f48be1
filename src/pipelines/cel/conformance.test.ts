/** The conformance data of CEL's specification: what expressions make of it, and that the meter changes nothing. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { tests } from '@bufbuild/cel-spec/testdata/conformance.js';
import { Environment } from '@marcbachmann/cel-js';
import { LineCounter } from 'yaml';
import { Mistakes } from '../document/mistakes.ts';
import { Expression } from './expression.ts';
import { fromCel } from './values.ts';

interface Case {
  readonly expr: string;
  readonly value?: SpecValue;
  readonly evalError?: unknown;
  /** What only messages have. */
  readonly container?: unknown;
  readonly typedResult?: unknown;
  readonly bindings?: Readonly<Record<string, { readonly value: SpecValue }>>;
}
type Suite = { readonly suites?: readonly Suite[]; readonly tests?: readonly { readonly original: unknown }[] };
/** A value in the JSON of its protocol buffer. */
type SpecValue = Readonly<Record<string, unknown>>;

const casesOf = (suite: Suite): Case[] => [
  ...(suite.tests ?? []).map(({ original }) => original as Case),
  ...(suite.suites ?? []).flatMap(casesOf),
];

const readers: Readonly<Record<string, (value: never) => unknown>> = {
  nullValue: () => null,
  boolValue: (value: boolean) => value,
  stringValue: (value: string) => value,
  int64Value: (value: string) => BigInt(value),
  doubleValue: (value: number | string) => Number(value),
  listValue: ({ values = [] }: { values?: SpecValue[] }) => values.map(fromSpec),
  mapValue: ({ entries = [] }: { entries?: { key: SpecValue; value: SpecValue }[] }) =>
    Object.fromEntries(entries.map(({ key, value }) => [String(key.stringValue), fromSpec(value)])),
};

/** Throws for a value that JSON has not: messages, bytes, types. */
function fromSpec(value: SpecValue): unknown {
  const [kind, inner] = Object.entries(value)[0]!;
  return readers[kind]!(inner as never);
}

const isPlain = ({ container, typedResult }: Case): boolean => container === undefined && typedResult === undefined;

const settled = (compute: () => unknown): { value: unknown } | 'failed' => {
  try {
    return { value: compute() };
  } catch {
    return 'failed';
  }
};

it('CEL is as its specification has it, as far as pipelines have it', () => {
  const plain = new Environment({ homogeneousAggregateLiterals: false, unlistedVariablesAreDyn: true });
  const counts = { right: 0, other: 0, refused: 0 };
  for (const { expr, value, evalError, bindings = {} } of casesOf(tests).filter(isPlain)) {
    const known = settled(() => ({
      wanted: value ? { value: fromCel(fromSpec(value)) } : evalError ? 'failed' : { value: true },
      names: Object.fromEntries(Object.entries(bindings).map(([name, each]) => [name, fromSpec(each.value)])),
    }));
    if (known === 'failed') continue;
    const { wanted, names } = known.value as { wanted: unknown; names: Record<string, unknown> };
    const mistakes = new Mistakes('x', new LineCounter());
    const expression = new Expression({ value: expr, at: index => index }, mistakes);
    if (mistakes.any) {
      counts.refused++;
      continue;
    }
    const made = settled(() => expression.evaluate(name => names[name]));
    assert.deepEqual(
      made,
      settled(() => fromCel(plain.evaluate(expr, names))),
      expr,
    );
    const isRight = settled(() => assert.deepEqual(made, wanted)) !== 'failed';
    counts[isRight ? 'right' : 'other']++;
  }
  // What is refused are extensions (format, math, optional values); what is other are bytes, unsigned and mixed numbers.
  assert.ok(counts.right >= 850, JSON.stringify(counts));
  assert.ok(counts.other <= 80, JSON.stringify(counts));
});
