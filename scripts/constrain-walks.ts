/**
 * Random walks: tokens that masks allow, until the answer ends, and every finished text validates with ajv.
 * `node scripts/constrain-walks.ts MODEL.gguf [TOKENS] [FOLDER of MaskBench]`; without a folder, schemas of its own.
 */
import { globSync, readFileSync } from 'node:fs';
import { compile } from '../src/constrain/constraint.ts';
import { jsonSchemaGrammar } from '../src/constrain/json-schema/index.ts';
import { vocabularyOf } from '../src/constrain/vocabulary.ts';
import { asRealmError, RealmError } from '../src/errors.ts';
import { openGguf } from '../src/gguf/open.ts';
import { createTokenizer } from '../src/tokenizer/create.ts';
import { validator, walk, walkSchemas } from '../test/constrain/walks.ts';

const [model, tokens = '1000000', folder] = process.argv.slice(2);
if (!model) throw new RealmError('usage', 'usage: node scripts/constrain-walks.ts MODEL.gguf [TOKENS] [FOLDER]');
const file = await openGguf(model);
const vocabulary = vocabularyOf(createTokenizer(file.metadata));
await file.close();
const schemas = folder
  ? globSync(`${folder}/*.json`).map(path => (JSON.parse(readFileSync(path, 'utf8')) as { schema: object }).schema)
  : walkSchemas;

const totals = { tokens: 0, finished: 0, cut: 0, refused: 0, wrong: [] as string[] };
for (let seed = 1; totals.tokens < Number(tokens); seed++) {
  const schema = schemas[(seed * 7919) % schemas.length]!;
  try {
    const validate = validator(schema);
    const grammar = jsonSchemaGrammar(schema);
    const constraint = compile(grammar, grammar.regexes, vocabulary);
    const { text, count } = walk(constraint, seed, 2_000);
    totals.tokens += count;
    if (text === undefined) totals.cut++;
    else if (validate(JSON.parse(text))) totals.finished++;
    else totals.wrong.push(`${JSON.stringify(schema).slice(0, 500)} ${text.slice(0, 500)}`);
  } catch (error) {
    if (asRealmError(error).code === 'internal_error') throw error;
    totals.refused++;
  }
}
console.log(JSON.stringify(totals, null, 1));
