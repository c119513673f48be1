import assert from 'node:assert/strict';
import type { SamplingSpec } from '../../src/backend/backend.ts';
import type { GgufFile } from '../../src/gguf/types.ts';
import type { Adapter, Batch, Model } from '../../src/model/types.ts';
import { logitsOf } from './logits.ts';

const plain: SamplingSpec = {
  ...{ temperature: 0, topK: 0, topP: 1, minP: 0, bias: [], seed: [1, 2] },
  ...{ repetitionPenalty: 1, presencePenalty: 0, frequencyPenalty: 0, penaltyWindow: 64 },
};

interface Part {
  readonly ids: readonly number[];
  readonly position: number;
  readonly pages: readonly number[];
  readonly adapter?: Adapter | undefined;
}

/** The parts as one batch, whose last tokens' logits are wanted. */
function batchOf(parts: readonly Part[]): Batch {
  let start = 0;
  const segments = parts.map(({ ids, pages, ...rest }) => {
    const segment = { ...rest, start, count: ids.length, pages: Int32Array.from(pages) };
    start += ids.length;
    return segment;
  });
  const rows = parts.map(({ ids }, i) => ({
    ...{ spec: { ...plain, temperature: i % 2 ? 0.9 : 0 }, tokens: ids, length: ids.length, promptTokens: ids.length },
  }));
  return {
    tokens: start,
    segments,
    ids: Int32Array.from(parts.flatMap(({ ids }) => ids)),
    positions: Int32Array.from(parts.flatMap(({ ids, position }) => ids.map((_, i) => position + i))),
    outputs: Int32Array.from(segments, segment => segment.start + segment.count - 1),
    sampling: { rows },
    states: true,
  };
}

const sequence = (seed: number, length: number) => Array.from({ length }, (_, i) => (seed * 31 + i * 17) % 300);

/**
 * What a model computes on its way through all that an engine does with it: logits, states and tokens of a mixed batch with
 * an adapter, pages that are copied, read and written, a run that is preempted. Then the model is closed.
 */
export async function everythingOf(model: Model, openAdapter: () => Promise<GgufFile>): Promise<ArrayLike<number>[]> {
  const adapter = await model.loadAdapter(await openAdapter());
  const all: ArrayLike<number>[] = [];
  const compute = async (parts: readonly Part[]) => {
    const batch = batchOf(parts);
    assert.equal((await model.run(batch)).kind, 'done');
    for (let i = 0; i < parts.length; i++) all.push(await logitsOf(model, i));
    const states = new Float32Array(model.width);
    await model.states(Int32Array.of(batch.tokens - 1), states);
    all.push(states, (await model.tokens(parts.length)).slice());
    return all.slice(-parts.length - 2);
  };
  const prompt = { ids: sequence(1, 40), position: 0, pages: [0, 1] };
  await compute([prompt, { ids: sequence(2, 9), position: 0, pages: [2], adapter }]);
  const next = { ids: [7], position: 40 };
  const expected = await compute([{ ...next, pages: [0, 1] }]);

  model.copyPages(Int32Array.of(1, 3, 3, 4));
  assert.deepEqual(await compute([{ ...next, pages: [0, 4] }]), expected);

  const page = new Uint8Array(model.pageBytes);
  await model.readPage(0, page);
  await model.writePage(5, page);
  assert.deepEqual(await compute([{ ...next, pages: [5, 4] }]), expected);

  // Copies are made even where the run behind them is not, wherever it was preempted.
  for (const patience of [0, 1, 20, 40]) {
    let asked = 0;
    model.copyPages(Int32Array.of(0, 6, 1, 7));
    const outcome = await model.run(batchOf([{ ...prompt, pages: [8, 9] }]), () => asked++ >= patience);
    if (outcome.kind === 'preempted') assert.ok(outcome.fraction >= 0 && outcome.fraction < 1);
    assert.deepEqual(await compute([{ ...next, pages: [6, 7] }]), expected);
    model.copyPages(Int32Array.of(10, 6, 10, 7));
  }
  await compute([{ ...prompt, adapter }]);
  model.unloadAdapter(adapter);
  await model.close();
  return all;
}
