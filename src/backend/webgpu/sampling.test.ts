import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { SampleRow, SamplingSpec } from '../backend.ts';
import { floats } from '../parity/data.ts';
import { sampling as parity } from '../parity/sampling.ts';
import { results } from '../parity/suite.ts';
import { Samplers } from '../sampling/sample-rows.ts';
import type { GpuTokens, GpuWorkBuffer } from './handles.ts';
import { defineKernel } from './kernel.ts';
import { Sampling } from './sampling.ts';
import { partOfBackend } from './testing/part-of-backend.ts';

const { backend, context } = await partOfBackend(context => {
  const sampling = new Sampling(context);
  return {
    tokens: sampling.tokens.bind(sampling),
    sample: sampling.sample.bind(sampling),
    readTokens: sampling.read.bind(sampling),
  };
});

// What is embedded needs products.
parity(
  () => backend,
  () => {},
);

const plain: SamplingSpec = {
  ...{ temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, presencePenalty: 0, frequencyPenalty: 0 },
  ...{ penaltyWindow: 64, bias: [], seed: [7, 5] },
};

const specs: readonly Partial<SamplingSpec>[] = [
  {},
  { temperature: 1 },
  { temperature: 0.7, topP: 0.9 },
  { temperature: 1, topK: 40 },
  { temperature: 1, topK: 256, topP: 0.99 },
  { temperature: 1, topK: 300 },
  { temperature: 1.2, minP: 0.05 },
  { repetitionPenalty: 1.3, presencePenalty: 0.5 },
  { temperature: 0.8, repetitionPenalty: 0.5, frequencyPenalty: -0.2 },
  { temperature: 0.8, topP: 0.95, bias: [[3, 2.5] as const, [17, -100] as const, [4999, 9] as const] },
  { bias: [[3, 100] as const, [17, -100] as const] },
];

/** A row as a model's: some tokens are far more likely than most. */
const modelLike = (seed: number, columns: number): Float32Array =>
  floats(seed, columns, 2).map(x => (Math.abs(x) < 2 ? x : x * 0.7));

test('of large vocabularies too, and then whole rows seldom come back', async () => {
  const columns = 5000;
  const rows: SampleRow[] = Array.from({ length: 4 * specs.length }, (_, i) => ({
    spec: { ...plain, seed: [i, 5], ...specs[i % specs.length] },
    tokens: Array.from({ length: 40 }, (_, j) => (j * 7 + i) % 31),
    ...{ length: 40, promptTokens: 9, unmasked: i % 3 === 0 },
  }));
  const values = rows.map((_, i) => modelLike(i, columns));
  values[5]!.fill(1);
  values[6]!.fill(-Infinity, 0, 4990);
  values[8]![2] = Number.NaN;
  values[20]![0] = Infinity;
  const logits = backend.buffer(rows.length, columns) as GpuWorkBuffer;
  values.forEach((row, i) => void backend.write(logits, i, row));
  const mask = new Uint32Array(rows.length * Math.ceil(columns / 32)).map((_, i) => (i % 7 === 0 ? 0 : 0xfffff5ff));
  const { readback } = context;
  const read = readback.read.bind(readback);
  for (const given of [undefined, mask]) {
    let bytes = 0;
    readback.read = parts => {
      for (const part of parts) bytes += part.bytes;
      return read(parts);
    };
    const tokens = backend.tokens(rows.length);
    backend.sample(tokens, logits, rows, given);
    await backend.run();
    const found = await backend.readTokens(tokens, rows.length);
    readback.read = read;
    const expected = new Int32Array(rows.length);
    new Samplers().sample(expected, columns, i => values[i]!, rows, given);
    assert.deepEqual([...found], [...expected]);
    assert.ok(bytes < rows.length * columns * 2, `${bytes} bytes of ${rows.length * columns * 4}`);
  }
});

test('tokens that are not listed count with their mass', async () => {
  const columns = 2000;
  const rows: SampleRow[] = Array.from({ length: 64 }, (_, i) => ({
    spec: { ...plain, temperature: 1, seed: [i, 5], topP: i % 2 ? 1 : 0.6 },
    ...{ tokens: [1, 2], length: 2, promptTokens: 1 },
  }));
  const row = floats(3, columns, 2.5).map(x => Math.min(x, 2.5));
  const logits = backend.buffer(rows.length, columns) as GpuWorkBuffer;
  rows.forEach((_, i) => void backend.write(logits, i, row));
  const tokens = backend.tokens(rows.length);
  backend.sample(tokens, logits, rows);
  await backend.run();
  const expected = new Int32Array(rows.length);
  new Samplers().sample(expected, columns, () => row, rows);
  assert.deepEqual([...(await backend.readTokens(tokens, rows.length))], [...expected]);
});

test('however many lanes a row has', async () => {
  const logits = backend.buffer(1, 5000) as GpuWorkBuffer;
  backend.write(logits, 0, modelLike(9, 5000));
  const rows = [{ spec: { ...plain, temperature: 1 }, tokens: [1], length: 1, promptTokens: 0 }];
  const chosen: number[] = [];
  for (const lanes of [64, 256]) {
    const sampling = new Sampling(context, lanes);
    const tokens = sampling.tokens(1);
    sampling.sample(tokens, logits, rows);
    await backend.run();
    chosen.push(...(await sampling.read(tokens, 1)));
  }
  assert.equal(chosen[0], chosen[1]);
});

const copy = defineKernel({
  ...{ name: 'copy', params: { source: 'u32', out: 'u32' }, workgroup: 1 },
  main: 'work[p.out + group.x] = bitcast<u32>(f32(bitcast<i32>(work[p.source + group.x])));',
});

test('what is recorded behind a choice finds the ids where kernels look for them', async () => {
  for (const temperature of [0, 1]) {
    const rows = [0, 1, 2].map(i => ({
      spec: { ...plain, temperature, seed: [i, 5] as const },
      ...{ tokens: [1, 2], length: 2, promptTokens: 1 },
    }));
    const logits = backend.buffer(3, 300);
    rows.forEach((_, i) => void backend.write(logits, i, floats(i, 300, 3)));
    const [tokens, again] = [backend.tokens(3) as GpuTokens, backend.tokens(2)];
    const out = backend.buffer(1, 3) as GpuWorkBuffer;
    backend.sample(tokens, logits, rows);
    context.recorder.record(copy, [3], { source: tokens.at, out: out.at });
    backend.sample(again, logits, rows.slice(0, 2));
    context.recorder.record(copy, [1], { source: tokens.at + 1, out: out.at });
    const [found] = await results(backend, out);
    const ids = [...(await backend.readTokens(tokens, 3))];
    assert.deepEqual([...found!], [ids[1], ...ids.slice(1)]);
    assert.deepEqual([...(await backend.readTokens(again, 2))], ids.slice(0, 2));
  }
});

after(() => backend.close());
