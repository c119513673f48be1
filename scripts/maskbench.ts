/**
 * MaskBench (guidance-ai/jsonschemabench, maskbench/data) as `realm constrain` tries schemas: what is accepted, what is
 * refused, and what either costs. `node scripts/maskbench.ts FOLDER MODEL.gguf [PART/PARTS]`.
 */
import { globSync, readFileSync } from 'node:fs';
import { compile } from '../src/constrain/constraint.ts';
import { jsonSchemaGrammar } from '../src/constrain/json-schema/index.ts';
import { type Instance, measure } from '../src/constrain/trial.ts';
import { vocabularyOf } from '../src/constrain/vocabulary.ts';
import { asRealmError, RealmError } from '../src/errors.ts';
import { openGguf } from '../src/gguf/open.ts';
import { createTokenizer } from '../src/tokenizer/create.ts';
import { reorder } from './maskbench-order.ts';

interface Case {
  readonly schema: unknown;
  readonly tests: readonly Instance[];
}

const [folder, model, part = '0/1'] = process.argv.slice(2);
if (!folder || !model) throw new RealmError('usage', 'usage: node scripts/maskbench.ts FOLDER MODEL.gguf [PART/PARTS]');
const [index, parts] = part.split('/').map(Number);
const file = await openGguf(model);
const tokenizer = createTokenizer(file.metadata);
await file.close();
const vocabulary = vocabularyOf(tokenizer);
/** The time of this thread alone, so that nothing is refused because others run; masks are too short for it. */
const now = (): number => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
};

const totals = {
  schemas: 0,
  /** Both below together. */
  passing: 0,
  /** With all instances as the files have them. */
  passingAsWritten: 0,
  /**
   * With keys brought into the order that the schema declares. MaskBench's authors did so for the schemas that
   * llguidance compiles (creation/reorder.py); the instances of the others stand as they were found.
   */
  passingReordered: 0,
  refused: 0,
  wronglyAccepted: [] as string[],
  wronglyRejected: [] as string[],
  failed: [] as string[],
};
const refusedBy: Record<string, number> = {};
const compileMs: number[] = [];
const maskMs: number[] = [];
const slow: { name: string; ms: number; over: number }[] = [];

for (const [at, path] of globSync(`${folder}/*.json`).sort().entries()) {
  if (at % parts! !== index) continue;
  totals.schemas++;
  const text = readFileSync(path, 'utf8');
  const { schema } = JSON.parse(text) as Case;
  run(path.slice(path.lastIndexOf('/') + 1), schema, (JSON.parse(text, asWritten) as Case).tests);
}

function run(name: string, schema: unknown, tests: readonly Instance[]): void {
  const begin = now();
  try {
    const {
      tests: results,
      compile: compiled,
      masks,
    } = measure(schema, tests, tokenizer, now, () => performance.now());
    compileMs.push(compiled);
    for (const mask of masks) maskMs.push(mask);
    slow.push({ name, ms: masks.reduce((most, ms) => Math.max(most, ms), 0), over: masks.filter(ms => ms > 1).length });
    const wrong = tests.filter(({ valid }, test) => results[test]!.accepted !== valid);
    if (wrong.some(({ valid }) => !valid)) totals.wronglyAccepted.push(name);
    else if (wrong.length === 0) totals.passingAsWritten++;
    else if (wrong.every(({ data }) => acceptedInOrder(schema, data))) totals.passingReordered++;
    else totals.wronglyRejected.push(name);
  } catch (error) {
    refused(name, error, now() - begin);
  }
}

function acceptedInOrder(schema: unknown, data: unknown): boolean {
  const grammar = jsonSchemaGrammar(schema);
  const ordered = reorder(data, compile(grammar, grammar.regexes, vocabulary));
  return ordered !== undefined && measure(schema, [{ data: ordered }], tokenizer, now).tests[0]!.accepted;
}

function refused(name: string, error: unknown, ms: number): void {
  const { code, param, message } = asRealmError(error);
  if (!['schema_unsupported', 'grammar_invalid', 'grammar_limit'].includes(code))
    totals.failed.push(`${name}: ${error}`);
  totals.refused++;
  if (ms > 250) totals.failed.push(`${name}: refused after ${ms.toFixed(0)} ms`);
  const keyword = param?.slice(param.lastIndexOf('/') + 1);
  const reason = code === 'schema_unsupported' ? keyword! : `${code}: ${message.slice(0, 60)}`;
  refusedBy[reason] = (refusedBy[reason] ?? 0) + 1;
}

/** Numbers of instances stay as they are written: 1.0 is not 1. */
function asWritten(_key: string, value: unknown, context?: { source?: string }): unknown {
  const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };
  return typeof value === 'number' && context?.source !== undefined ? rawJSON(context.source) : value;
}

function percentiles(times: number[]): Record<string, number> {
  times.sort((a, b) => a - b);
  const at = (share: number): number =>
    Number((times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0).toFixed(3));
  return { count: times.length, p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: at(1) };
}

totals.passing = totals.passingAsWritten + totals.passingReordered;
slow.sort((a, b) => b.ms - a.ms);
console.log(
  JSON.stringify(
    { ...totals, refusedBy, compileMs: percentiles(compileMs), maskMs: percentiles(maskMs), slow: slow.slice(0, 20) },
    null,
    1,
  ),
);
