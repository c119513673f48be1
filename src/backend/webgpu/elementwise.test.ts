import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { rows } from '../parity/rows.ts';
import { assertSameBits, flushed, results } from '../parity/suite.ts';
import { createReferenceBackend } from '../reference/reference.ts';
import { Elementwise } from './elementwise.ts';
import { partOfBackend } from './testing/part-of-backend.ts';

const { backend } = await partOfBackend(context => {
  const parts = new Elementwise(context);
  return {
    ropeTable: (spec: object) => spec,
    rmsNorm: parts.rmsNorm.bind(parts),
    layerNorm: parts.layerNorm.bind(parts),
    rope: parts.rope.bind(parts),
    gate: parts.gate.bind(parts),
    activate: parts.activate.bind(parts),
    add: parts.add.bind(parts),
    scale: parts.scale.bind(parts),
    softcap: parts.softcap.bind(parts),
    gather: parts.gather.bind(parts),
  };
});

rows((title, scenario) =>
  test(title, async () => {
    const [found, expected] = [await scenario(backend), await scenario(createReferenceBackend())];
    assertSameBits(found.map(flushed), expected.map(flushed));
  }),
);

test('what is no number stays none', async () => {
  const [x, up] = [backend.buffer(1, 3), backend.buffer(1, 3)];
  for (const operation of [
    () => backend.softcap(x, 30, 1),
    () => backend.gate(x, x, up, 'silu', 1),
    () => backend.gate(x, x, up, 'gelu', 1),
    () => backend.rmsNorm(x, x, backend.vector(new Float32Array(3).fill(1)), 1e-5, 1),
  ]) {
    backend.write(x, 0, new Float32Array(3).fill(Number.NaN));
    backend.write(up, 0, new Float32Array(3).fill(1));
    operation();
    assert.deepEqual(await results(backend, x), [new Float32Array(3).fill(Number.NaN)]);
  }
});

after(() => backend.close());
