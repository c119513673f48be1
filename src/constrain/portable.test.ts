import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { finish } from '../tokenizer/steps.ts';
import type { Token } from '../tokenizer/types.ts';
import { compile } from './constraint.ts';
import { jsonSchemaGrammar } from './json-schema/index.ts';
import { packGrammar, packVocabulary, unpackGrammar, unpackVocabulary } from './portable.ts';
import { maskWords, vocabularyOf } from './vocabulary.ts';

const encoder = new TextEncoder();
const texts = [...Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)), '{"', '":', 'name', 'é', 'tr'];
const vocabulary = vocabularyOf({
  vocabSize: texts.length + 1,
  endOfGeneration: new Set([texts.length as Token]),
  bytes: token => encoder.encode(texts[token] ?? ''),
});

const schema = {
  type: 'object',
  properties: {
    name: { type: 'string', pattern: '^[a-z]{2,40}$', not: { const: 'no' } },
    age: { type: 'integer', minimum: 3, maximum: 120 },
    tags: { type: 'array', items: { enum: ['true', 'é', 5, null] }, maxItems: 3 },
  },
  required: ['name'],
};

describe('what goes to another thread', () => {
  it('constrains as it did before', () => {
    const made = jsonSchemaGrammar(schema);
    const here = compile(made, made.regexes, vocabulary).start();
    const unpacked = finish(unpackGrammar(structuredClone(packGrammar(made, made.regexes))));
    const elsewhere = unpackVocabulary(structuredClone(packVocabulary(vocabulary)));
    const there = compile(unpacked.grammar, unpacked.regexes, elsewhere).start();
    const [a, b] = [0, 1].map(() => new Uint32Array(maskWords(vocabulary.size)));
    for (let choice = 1; !here.isOver && choice < 200; choice++) {
      here.mask(a!);
      there.mask(b!);
      assert.deepEqual(b, a);
      const allowed = Array.from({ length: vocabulary.size }, (_, token) => token).filter(
        token => (a![token >> 5]! >>> (token & 31)) & 1,
      );
      const token = allowed[(choice * 7) % allowed.length] as Token;
      assert.ok(here.accept(token) && there.accept(token));
    }
    assert.ok(here.isOver && there.isOver);
  });

  it('is no more than what lexemes are made of', () => {
    const made = jsonSchemaGrammar(schema);
    assert.ok(packGrammar(made, made.regexes)[1]! < made.regexes.units);
  });
});
