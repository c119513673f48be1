import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compile } from '../../src/constrain/constraint.ts';
import { jsonSchemaGrammar } from '../../src/constrain/json-schema/index.ts';
import { vocabularyOf } from '../../src/constrain/vocabulary.ts';
import { openGguf } from '../../src/gguf/open.ts';
import { createTokenizer } from '../../src/tokenizer/create.ts';
import { validator, walk, walkSchemas } from './walks.ts';

/** `scripts/constrain-walks.ts` goes further. */
const tokens = 100_000;

describe('random walks over masks', () => {
  it('end in what validates', async () => {
    const file = await openGguf('../shared/models/SmolLM2-135M-Instruct.Q4_1.gguf');
    const vocabulary = vocabularyOf(createTokenizer(file.metadata));
    await file.close();
    const each = walkSchemas.map(schema => {
      const grammar = jsonSchemaGrammar(schema);
      return { schema, validate: validator(schema), constraint: compile(grammar, grammar.regexes, vocabulary) };
    });
    let finished = 0;
    for (let seed = 1, count = 0; count < tokens; seed++) {
      const { schema, validate, constraint } = each[seed % each.length]!;
      const walked = walk(constraint, seed, 2_000);
      count += walked.count;
      if (walked.text === undefined) continue;
      assert.ok(validate(JSON.parse(walked.text)), `${JSON.stringify(schema)}: ${walked.text}`);
      finished++;
    }
    assert.ok(finished > 1_000, String(finished));
  });
});
