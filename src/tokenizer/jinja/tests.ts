import { bind } from './arguments.ts';
import type { Meter } from './limits.ts';
import { binary, comparison } from './operators.ts';
import { text } from './printing.ts';
import { stringMethod } from './strings.ts';
import {
  type Call,
  Callable,
  Dict,
  isIterable,
  Stream,
  sequence,
  TemplateError,
  truth,
  type Value,
  View,
} from './values.ts';

type Test = readonly [signature: string, holds: (value: Value, args: Value[], meter: Meter) => boolean];

const TESTS: Record<string, Test> = {
  boolean: ['', value => typeof value === 'boolean'],
  callable: ['', value => value === undefined || value instanceof Callable],
  defined: ['', value => value !== undefined],
  divisibleby: ['num!', (value, [by], meter) => comparison('==', binary('%', value, by, meter), 0n, meter)],
  escaped: ['', () => false],
  even: ['', (value, _, meter) => comparison('==', binary('%', value, 2n, meter), 0n, meter)],
  false: ['', value => value === false],
  filter: ['', value => isName(value, FILTER_NAMES)],
  float: ['', value => typeof value === 'number'],
  integer: ['', value => typeof value === 'bigint'],
  iterable: ['', value => isIterable(value)],
  lower: ['', (value, _, meter) => isCase(value, 'islower', meter)],
  mapping: ['', value => value instanceof Dict],
  none: ['', value => value === null],
  number: ['', value => typeof value === 'boolean' || typeof value === 'bigint' || typeof value === 'number'],
  odd: ['', (value, _, meter) => comparison('==', binary('%', value, 2n, meter), 1n, meter)],
  sameas: ['other!', (value, [other]) => value === other],
  sequence: ['', value => isSequence(value)],
  string: ['', value => typeof value === 'string'],
  test: ['', value => isName(value, TEST_NAMES)],
  true: ['', value => value === true],
  undefined: ['', value => value === undefined],
  upper: ['', (value, _, meter) => isCase(value, 'isupper', meter)],
};

/** Comparisons by their names as tests. */
const COMPARISONS: Record<string, readonly string[]> = {
  '==': ['==', 'eq', 'equalto'],
  '!=': ['!=', 'ne'],
  '<': ['<', 'lt', 'lessthan'],
  '<=': ['<=', 'le'],
  '>': ['>', 'gt', 'greaterthan'],
  '>=': ['>=', 'ge'],
  in: ['in'],
};
for (const [operator, names] of Object.entries(COMPARISONS)) {
  for (const name of names)
    TESTS[name] = ['other!', (value, [other], meter) => comparison(operator, value, other, meter)];
}

const TEST_NAMES = new Set(Object.keys(TESTS));
const FILTER_NAMES = new Set<string>();

/** Tells the test `filter` which filters there are. */
export function knownFilters(names: Iterable<string>): void {
  for (const name of names) FILTER_NAMES.add(name);
}

export function runTest(name: string, value: Value, call: Call, meter: Meter): boolean {
  const test = Object.hasOwn(TESTS, name) ? TESTS[name] : undefined;
  if (!test) throw new TemplateError(`there is no test named '${name}'`);
  const [signature, holds] = test;
  return truth(holds(value, bind(name, signature, call), meter));
}

function isName(value: Value, names: ReadonlySet<string>): boolean {
  if (Array.isArray(value) || value instanceof Dict) throw new TemplateError('a name must be hashable');
  return typeof value === 'string' && names.has(value);
}

function isCase(value: Value, method: 'islower' | 'isupper', meter: Meter): boolean {
  return (
    stringMethod(text(value, meter), method, meter, () => undefined)!.call({ positional: [], named: new Map() }) ===
    true
  );
}

function isSequence(value: Value): boolean {
  if (value === undefined || typeof value === 'string' || value instanceof Dict) return true;
  if (value instanceof Stream || (value instanceof View && value.type !== 'range')) return false;
  return sequence(value) !== undefined;
}
