import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { readResults } from '../../../test/sandbox/bound-guest.ts';
import type { Token } from '../../tokenizer/types.ts';
import { emptyRecord, RECORD_HEADER_BYTES, readRecord, setAddress, tokenBytes, writeRecord } from './record.ts';

const u32 = fc.nat(0xffff_ffff);
const f32 = fc.float({ noNaN: true });

const submitted = fc
  .record({ n: fc.nat(6), topK: fc.option(fc.nat(4), { nil: undefined }), scored: fc.nat(3) })
  .chain(({ n, topK, scored }) =>
    fc.record({
      topK: fc.constant(topK),
      scored: fc.constant(topK === undefined ? 0 : scored),
      tokens: fc.array(u32, { minLength: n, maxLength: n }),
      logprobs: fc.array(f32, { minLength: n, maxLength: n }),
      top: fc.array(fc.array(fc.tuple(u32, f32), { minLength: topK ?? 0, maxLength: topK ?? 0 }), {
        minLength: n,
        maxLength: n,
      }),
      scores: fc.array(f32, { minLength: n * scored, maxLength: n * scored }),
      reason: fc.constantFrom('stop', 'length', 'cancelled'),
      stopString: fc.option(fc.constant('x'), { nil: undefined }),
    }),
  );

test('what is written is read again', () => {
  fc.assert(
    fc.property(submitted, u32, fc.nat(99), u32, (done, ticket, index, sequence) => {
      const { topK, scored, tokens, top, reason, stopString } = done;
      const logprobs = tokens.map((token, i) => ({
        token: token as Token,
        logprob: done.logprobs[i]!,
        top: top[i]!.map(([token, logprob]) => ({ token: token as Token, logprob })),
      }));
      const scores = Float32Array.from(done.scores);
      const result = { tokens: Uint32Array.from(tokens), reason, stopString, logprobs, scores } as const;
      const record = writeRecord(result as Parameters<typeof writeRecord>[0], topK, scored);
      setAddress(record, ticket, index, sequence);
      assert.equal(record.length, RECORD_HEADER_BYTES + tokens.length * tokenBytes(topK, scored));
      const two = new Uint8Array([...record, ...record]);
      const code = reason === 'stop' ? (stopString ? 2 : 0) : reason === 'length' ? 1 : 3;
      const rows = topK !== undefined;
      const read = {
        ticket,
        index,
        seq: sequence,
        reason: code,
        error: 0,
        tokens,
        logprobs: rows ? done.logprobs : [],
        top: rows ? top : [],
        scores: rows ? tokens.map((_, i) => done.scores.slice(i * scored, (i + 1) * scored)) : [],
      };
      assert.deepEqual(readResults(two, rows), [read, read]);
      assert.deepEqual(readRecord(record), { reason: code, error: 0, tokens: Uint32Array.from(tokens) });
    }),
  );
});

test('a failure has a code and no tokens', () => {
  const record = emptyRecord(4, -13);
  assert.deepEqual(readRecord(record), { reason: 4, error: -13, tokens: new Uint32Array() });
});

test('alternatives that are not there are impossible', () => {
  const logprobs = [{ token: 5 as Token, logprob: -1, top: [] }];
  const record = writeRecord({ tokens: Uint32Array.of(5), reason: 'length', logprobs }, 1);
  assert.deepEqual(readResults(record, true)[0]!.top, [[[0, Number.NEGATIVE_INFINITY]]]);
});
