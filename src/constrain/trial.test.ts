import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Token, Tokenizer } from '../tokenizer/types.ts';
import { trySchema } from './trial.ts';

/** A token is a byte; the last one ends an answer. */
const bytes = {
  vocabSize: 257,
  endOfGeneration: new Set([256 as Token]),
  bytes: (token: Token) => (token === 256 ? new Uint8Array() : Uint8Array.of(token)),
  encode: (text: string) => [...new TextEncoder().encode(text)] as Token[],
} as Partial<Tokenizer> as Tokenizer;

const schema = { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'], additionalProperties: false };

/** A clock that goes on by so many milliseconds whenever somebody looks. */
function clock(ms: number): () => number {
  let time = 0;
  return () => {
    time += ms;
    return time;
  };
}

test('a schema is tried on what fits it and on what does not', () => {
  const tried = trySchema(schema, [{ data: { a: 1 } }, { data: { a: 'b' } }], bytes, clock(1));
  assert.ok(tried.ok);
  assert.deepEqual(tried.tests, [{ accepted: true }, { accepted: false }]);
  assert.equal(tried.compile_us, 1000);
});

test('one that takes longer than the server would let it is refused as the server would', () => {
  const tried = trySchema(schema, [], bytes, clock(251));
  assert.ok(!tried.ok);
  assert.deepEqual([tried.code, tried.keyword, tried.path], ['grammar_limit', null, null]);
  assert.match(tried.message, /longer than 250 ms to compile/);
});
