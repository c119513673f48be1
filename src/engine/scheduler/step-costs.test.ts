import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Token } from '../../tokenizer/types.ts';
import type { SequenceId } from '../request.ts';
import { createSequence } from '../sequence.ts';
import type { Work } from './plan.ts';
import { StepCosts } from './step-costs.ts';

/** A piece of a prompt of which `left` tokens are not computed; with one left, a sequence that decodes. */
function work(count: number, left: number, position = 0): Work {
  const prompt = Array.from({ length: position + left }, () => 5 as Token);
  const sequence = createSequence({ id: 0 as SequenceId, tenant: 'a', priority: 0, limit: 10_000, prompt });
  sequence.computed = position;
  return { sequence, count, draft: [] };
}

const decoding = (rows: number): Work[] => Array.from({ length: rows }, () => work(1, 1));

test('costs are those of a line through the steps that were timed', () => {
  const costs = new StepCosts();
  assert.deepEqual(costs.costs(1), { row: 0.15, pass: 0.15 });
  for (let i = 0; i < 100; i++) costs.step(decoding(1 + (i % 5)), 10 + 2 * (1 + (i % 5)));
  for (let i = 0; i < 100; i++) costs.pass(3);
  const { row, pass } = costs.costs(1);
  assert.ok(Math.abs(row - 2 / 12) < 1e-6 && Math.abs(pass - 3 / 12) < 1e-6, `${row} ${pass}`);
  const three = costs.costs(3);
  assert.ok(Math.abs(three.row - (2 * 3) / 16) < 1e-6 && Math.abs(three.pass - 3 / 16) < 1e-6);
});

test('prompt tokens are as many as take the time, without what decoding takes of the step', () => {
  const costs = new StepCosts();
  for (let i = 0; i < 100; i++) costs.step(decoding(2), 10);
  for (let i = 0; i < 100; i++) costs.step([...decoding(2), work(50, 100)], 10 + 50 * 0.5);
  assert.ok(Math.abs(costs.promptTokens(0, 2, 40) - 80) < 1);
  for (let i = 0; i < 100; i++) costs.step([...decoding(2), work(50, 100, 3000)], 10 + 50 * 2);
  assert.ok(Math.abs(costs.promptTokens(3000, 2, 40) - 20) < 1);
});

test('a large model has as long for prompts as its decoding takes', () => {
  const costs = new StepCosts();
  for (let i = 0; i < 100; i++) costs.step(decoding(1), 200);
  for (let i = 0; i < 100; i++) costs.step([work(100, 200)], 1000);
  assert.ok(Math.abs(costs.promptTokens(0, 1, 40) - 20) < 1);
});
