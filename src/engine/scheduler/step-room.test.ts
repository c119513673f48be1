import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StepRoom } from './step-room.ts';

const limits = {
  maxBatchedTokens: 256,
  prefillChunk: 128,
  pieceTokens: (position: number) => (position < 1000 ? 40 : 20),
};

test('nobody decodes: a step of late tokens, which are dear, takes no longer than one of early ones', () => {
  const alone = { ...limits, pieceTokens: (position: number) => (position < 1000 ? 256 : 96) };
  const room = new StepRoom(alone, 0);
  assert.equal(room.fits(0, false), 256);
  assert.equal(room.fits(5000, false), 96);
  room.take(0, 128);
  assert.equal(room.fits(5000, false), 48);
  assert.equal(
    new StepRoom({ maxBatchedTokens: limits.maxBatchedTokens, prefillChunk: limits.prefillChunk }, 0).fits(5000, false),
    256,
  );
});

test('a piece beside decoding takes its time, and fills tiles with their rows', () => {
  assert.equal(new StepRoom(limits, 2).fits(0, false), 40);
  assert.equal(new StepRoom(limits, 4).fits(0, false), 38);
  assert.equal(new StepRoom(limits, 4).fits(2000, false), 20);
});

test('several prompts share the time', () => {
  const room = new StepRoom(limits, 2);
  room.take(0, 20);
  assert.equal(room.fits(0, false), 20);
  assert.equal(room.fits(2000, false), 8);
  room.take(0, 20);
  assert.equal(room.fits(0, false), 0);
  assert.ok(!room.full);
});

test('a first token may keep those that decode longer, with what others took of the step counted', () => {
  const patient = { ...limits, pieceTokens: (_: number, __: number, first: boolean) => (first ? 100 : 40) };
  const room = new StepRoom(patient, 2);
  assert.equal(room.fits(0, true), 100);
  room.take(0, 30);
  assert.equal(room.fits(0, true), 70);
  assert.equal(room.fits(0, false), 10);
  room.take(0, 60);
  assert.equal(room.fits(0, false), 0);
  assert.equal(room.fits(0, true), 10);
});

test('a prompt always moves on, and prefillChunk is the most in any case', () => {
  const slow = { ...limits, pieceTokens: () => 0.01 };
  assert.equal(new StepRoom(slow, 3).fits(0, false), 6);
  const quick = { ...limits, pieceTokens: () => 1e6 };
  assert.equal(new StepRoom(quick, 3).fits(0, false), 128);
  assert.equal(new StepRoom({ ...slow, prefillChunk: 5 }, 3).fits(0, false), 5);
});
