import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { floats } from '../parity/data.ts';
import { assertSameBits, filled, results } from '../parity/suite.ts';
import { assignSlots, chooseExperts } from '../reference/routing.ts';
import { Experts } from './experts.ts';
import type { GpuWorkBuffer } from './handles.ts';
import { partOfBackend, wordsOf } from './testing/part-of-backend.ts';

const { backend, context } = await partOfBackend(() => ({}));
const experts = new Experts(context);

/** What the reference makes of the logits of rows. */
function expectedOf(logits: readonly Float32Array[], count: number, topK: number) {
  const slots = () => new Int32Array(logits.length * topK);
  const [chosen, weights] = [slots(), new Float32Array(logits.length * topK)];
  const table = { slotOf: slots(), tokenOf: slots(), starts: new Int32Array(count + 1) };
  logits.forEach((row, i) => {
    chooseExperts(row, chosen.subarray(i * topK, (i + 1) * topK), weights.subarray(i * topK, (i + 1) * topK));
  });
  assignSlots(chosen, topK, table);
  return { chosen, weights: new Int32Array(weights.buffer), ...table };
}

/** Scores of some experts are equal. */
const scores = (seed: number, count: number): Float32Array =>
  floats(seed, count, 3).map(score => (Math.abs(score) < 1 ? Math.round(score * 4) / 4 : score));

for (const [rows, count, topK] of [
  [1, 8, 2],
  [5, 128, 8],
  [300, 60, 4],
  [3, 300, 300],
] as const)
  test(`${rows} rows choose ${topK} of ${count} experts as the reference does`, async () => {
    const logits = Array.from({ length: rows }, (_, i) => scores(i, count));
    logits[1]?.fill(-2);
    const buffer = context.buffer(rows, count);
    logits.forEach((row, i) => void backend.write(buffer, i, row));
    const routing = experts.routing(rows + 2, count, topK);
    experts.route(routing, buffer, rows);
    context.recorder.submit();
    for (const [part, expected] of Object.entries(expectedOf(logits, count, topK))) {
      const at = routing[part as keyof ReturnType<typeof expectedOf>];
      assert.deepEqual(await wordsOf(context, [{ at, count: expected.length }]), expected, part);
    }
  });

test('rows add the weighted slots of their choices in the order of choice', async () => {
  const [rows, count, topK, columns] = [7, 16, 3, 100];
  const routing = experts.routing(rows, count, topK);
  const logits = Array.from({ length: rows }, (_, i) => scores(50 + i, count));
  const buffer = context.buffer(rows, count);
  logits.forEach((row, i) => void backend.write(buffer, i, row));
  const [out, slots] = [filled(backend, 3, rows, columns), filled(backend, 4, rows * topK, columns)];
  const [sums, given] = [await results(backend, out), await results(backend, slots)];
  experts.route(routing, buffer, rows);
  experts.combine(out as GpuWorkBuffer, slots as GpuWorkBuffer, routing, rows);
  const { slotOf, weights } = expectedOf(logits, count, topK);
  const factors = new Float32Array(weights.buffer);
  const f = Math.fround;
  slotOf.forEach((slot, choice) => {
    const sum = sums[Math.floor(choice / topK)]!;
    given[slot]!.forEach((value, column) => {
      sum[column] = f(sum[column]! + f(factors[choice]! * value));
    });
  });
  assertSameBits(await results(backend, out), sums);
});

test('more experts than a kernel holds are refused', () => {
  assert.throws(() => experts.routing(1, 2000, 2), { code: 'kernel_unavailable' });
});

after(() => backend.close());
