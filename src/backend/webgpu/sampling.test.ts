import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { floats } from '../parity/data.ts';
import { sampling as parity } from '../parity/sampling.ts';
import { results } from '../parity/suite.ts';
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

const copy = defineKernel({
  ...{ name: 'copy', params: { source: 'u32', out: 'u32' }, workgroup: 1 },
  main: 'work[p.out + group.x] = bitcast<u32>(f32(bitcast<i32>(work[p.source + group.x])));',
});

test('what is recorded behind a choice finds the ids where kernels look for them', async () => {
  const spec = { topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, presencePenalty: 0, frequencyPenalty: 0 };
  for (const temperature of [0, 1]) {
    const rows = [0, 1, 2].map(i => ({
      spec: { ...spec, temperature, penaltyWindow: 64, bias: [], seed: [i, 5] as const },
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
