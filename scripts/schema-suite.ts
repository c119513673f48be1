/** The JSON-Schema-Test-Suite: `node scripts/schema-suite.ts FOLDER`, a folder of it such as tests/draft2020-12. */
import { globSync, readFileSync } from 'node:fs';
import { jsonSchemaGrammar } from '../src/constrain/json-schema/index.ts';
import { asRealmError, RealmError } from '../src/errors.ts';
import { Recogniser } from '../test/constrain/recogniser.ts';

interface Group {
  readonly description: string;
  readonly schema: unknown;
  readonly tests: readonly { readonly description: string; readonly data: unknown; readonly valid: boolean }[];
}

const [folder] = process.argv.slice(2);
if (!folder) throw new RealmError('usage', 'usage: node scripts/schema-suite.ts FOLDER');
/** Tests of a draft before 2019-09 do not name it, as those after it do. */
const dialect = /draft[3467]/.test(folder) ? { $schema: 'http://json-schema.org/draft-07/schema#' } : {};
const totals = { assertions: 0, passing: 0, refused: 0 };
const wronglyAccepted: string[] = [];
const wronglyRejected: string[] = [];
const refusedBy: Record<string, number> = {};

for (const file of globSync(`${folder}/**/*.json`).sort()) {
  for (const group of JSON.parse(readFileSync(file, 'utf8')) as Group[]) run(file.slice(folder.length + 1), group);
}

function run(file: string, { description, schema, tests }: Group): void {
  totals.assertions += tests.length;
  const recogniser = recogniserOf(schema, tests.length);
  if (recogniser === undefined) return;
  for (const test of tests) {
    const accepted = recogniser !== 'nothing' && recogniser.accepts(JSON.stringify(test.data));
    if (accepted === test.valid) totals.passing++;
    else (accepted ? wronglyAccepted : wronglyRejected).push(`${file}: ${description}: ${test.description}`);
  }
}

/** Undefined where the schema is refused; what matches nothing is refused too, and rightly accepts nothing. */
function recogniserOf(schema: unknown, tests: number): Recogniser | 'nothing' | undefined {
  try {
    const grammar = jsonSchemaGrammar(typeof schema === 'object' ? { ...dialect, ...schema } : schema);
    return new Recogniser(grammar, grammar.regexes);
  } catch (error) {
    const { code, param, message } = asRealmError(error);
    if (code === 'grammar_invalid') return 'nothing';
    if (code !== 'schema_unsupported' && code !== 'grammar_limit') throw error;
    totals.refused += tests;
    const reason = param?.slice(param.lastIndexOf('/') + 1) ?? message;
    refusedBy[reason] = (refusedBy[reason] ?? 0) + tests;
    return undefined;
  }
}

console.log(JSON.stringify({ ...totals, wronglyAccepted, wronglyRejected, refusedBy }, null, 1));
