import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { changedOptions, OPTIONS_BYTES, readOptions, writeOptions } from './abi.ts';
import type { GenOptions } from './types.ts';

const options: GenOptions = {
  maxTokens: 512,
  temperature: 0.7,
  topP: 0.9,
  topK: 40,
  repetitionPenalty: 1.1,
  seed: 0x0102030405060708n,
  stopTokens: [0x0a0b0c0d],
};

test('GenOptions has the layout of C', () => {
  const bytes = new Uint8Array(OPTIONS_BYTES + 4);
  writeOptions(new DataView(bytes.buffer), options, 0x11223344);
  const hex = Buffer.from(bytes).toString('hex');
  // max_tokens, temperature, top_p, top_k, repetition_penalty, 4 unused, seed, count and 3 unused, pointer, tokens.
  assert.equal(hex, '000200003333333f6666663f28000000cdcc8c3f00000000080706050403020101000000443322110d0c0b0a');
});

const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const float = fc.double({ noNaN: true, min: -1e30, max: 1e30 });
const any: fc.Arbitrary<GenOptions> = fc.record({
  maxTokens: u32,
  temperature: float,
  topP: float,
  topK: u32,
  repetitionPenalty: float,
  seed: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  stopTokens: fc.array(u32, { maxLength: 5 }),
});

test('options that were written and read again are unchanged', () => {
  fc.assert(
    fc.property(any, given => {
      const view = new DataView(new ArrayBuffer(OPTIONS_BYTES + 4 * given.stopTokens.length));
      writeOptions(view, given, 40);
      const { options: read, stopTokenCount } = readOptions(view);
      assert.equal(stopTokenCount, given.stopTokens.length);
      assert.deepEqual(changedOptions(given, { ...read, stopTokens: given.stopTokens }), {});
    }),
  );
});

test('each field that differs is named', () => {
  fc.assert(
    fc.property(any, any, (given, now) => {
      const changed = changedOptions(given, now);
      for (const key of Object.keys(changed) as (keyof GenOptions)[]) assert.deepEqual(changed[key], now[key]);
      assert.equal('maxTokens' in changed, now.maxTokens !== given.maxTokens);
      assert.equal('seed' in changed, now.seed !== given.seed);
    }),
  );
});
