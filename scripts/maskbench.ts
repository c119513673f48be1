/** Schemas with instances that are valid or not: what is accepted, what is refused, and what either costs. */
import { globSync, readFileSync } from 'node:fs';
import { jsonSchemaGrammar } from '../src/constrain/json-schema/index.ts';
import { asRealmError, RealmError } from '../src/errors.ts';
import { Recogniser } from '../test/constrain/recogniser.ts';

interface Case {
  readonly schema: unknown;
  readonly tests: readonly { readonly data: unknown; readonly valid: boolean }[];
}

const [folder, part = '0/1'] = process.argv.slice(2);
if (!folder) throw new RealmError('usage', 'usage: node scripts/maskbench.ts FOLDER [PART/PARTS]');
const [index, parts] = part.split('/').map(Number);
const totals = {
  schemas: 0,
  passing: 0,
  refused: 0,
  wronglyAccepted: [] as string[],
  rejectedForOrder: [] as string[],
  wronglyRejected: [] as string[],
  failed: [] as string[],
};
const refusals: Record<string, number> = {};
const compileMs: number[] = [];

for (const [at, file] of globSync(`${folder}/*.json`).sort().entries()) {
  if (at % parts! !== index) continue;
  totals.schemas++;
  run(file.slice(file.lastIndexOf('/') + 1), JSON.parse(readFileSync(file, 'utf8'), asWritten) as Case);
}

function run(name: string, { schema, tests }: Case): void {
  const begin = performance.now();
  try {
    const grammar = jsonSchemaGrammar(schema);
    compileMs.push(performance.now() - begin);
    const recogniser = new Recogniser(grammar, grammar.regexes);
    const wrong = tests.filter(({ data, valid }) => accepted(recogniser, data) !== valid);
    if (wrong.some(({ valid }) => !valid)) totals.wronglyAccepted.push(name);
    const rejected = wrong.filter(({ valid }) => valid);
    if (rejected.length > 0) {
      const ordered = rejected.every(({ data }) => accepted(recogniser, inOrder(data, keyOrders(schema))));
      (ordered ? totals.rejectedForOrder : totals.wronglyRejected).push(name);
    }
    if (wrong.length === 0) totals.passing++;
  } catch (error) {
    const { code, param, message } = asRealmError(error);
    if (!['schema_unsupported', 'grammar_invalid', 'grammar_limit'].includes(code))
      totals.failed.push(`${name}: ${String(error)}`);
    totals.refused++;
    const ms = performance.now() - begin;
    if (ms > 250) totals.failed.push(`${name}: refused after ${ms.toFixed(0)} ms`);
    const reason =
      code === 'schema_unsupported'
        ? `${param?.slice(param.lastIndexOf('/') + 1)}${/"(.*)" is not known/.exec(message)?.[0] ?? ''}`
        : `${code}: ${message.slice(0, 60)}`;
    refusals[reason] = (refusals[reason] ?? 0) + 1;
    if (process.env.VERBOSE) console.error(name, message);
  }
}

/** Numbers in instances stay as they are written: 1.0 is not 1. */
function asWritten(this: unknown, key: string, value: unknown, context?: { source?: string }): unknown {
  if (key === 'schema') return JSON.parse(JSON.stringify(value));
  const raw = JSON as unknown as { rawJSON: (text: string) => unknown };
  return typeof value === 'number' && context?.source?.includes('.') ? raw.rawJSON(context.source) : value;
}

/** Every order of keys that a part of the schema declares. */
function keyOrders(schema: unknown): string[][] {
  if (typeof schema !== 'object' || schema === null) return [];
  const { properties } = schema as { properties?: unknown };
  const own = typeof properties === 'object' && properties !== null ? [Object.keys(properties)] : [];
  return [...own, ...Object.values(schema).flatMap(keyOrders)];
}

/** The instance with keys in the order of the part of the schema that knows most of them. */
function inOrder(data: unknown, orders: readonly string[][]): unknown {
  if (Array.isArray(data)) return data.map(item => inOrder(item, orders));
  if (
    typeof data !== 'object' ||
    data === null ||
    (JSON as unknown as { isRawJSON: (value: unknown) => boolean }).isRawJSON(data)
  )
    return data;
  const keys = Object.keys(data);
  const known = (order: readonly string[]) => order.filter(key => keys.includes(key)).length;
  const best = orders.reduce<readonly string[]>((most, order) => (known(order) > known(most) ? order : most), []);
  const sorted = [...best.filter(key => keys.includes(key)), ...keys.filter(key => !best.includes(key))];
  return Object.fromEntries(sorted.map(key => [key, inOrder((data as Record<string, unknown>)[key], orders)]));
}

/** Compact JSON and indented JSON. */
function accepted(recogniser: Recogniser, data: unknown): boolean {
  return recogniser.accepts(JSON.stringify(data));
}

compileMs.sort((a, b) => a - b);
const percentile = (share: number) =>
  compileMs[Math.min(compileMs.length - 1, Math.floor(compileMs.length * share))]?.toFixed(2);
const refusedBy = Object.fromEntries(Object.entries(refusals).sort((a, b) => b[1] - a[1]));
console.log(
  JSON.stringify(
    { ...totals, refusedBy, compileMs: { p50: percentile(0.5), p99: percentile(0.99), max: percentile(1) } },
    null,
    1,
  ),
);
