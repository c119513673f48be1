import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Backend, Buffer } from '../backend.ts';
import { parity } from '../parity/parity.ts';
import { createReferenceBackend } from '../reference/reference.ts';
import { createWasmBackend } from '../wasm/create.ts';
import { SplitBackend } from './backend.ts';
import { type Placement, type Side, splitAt, splittable } from './placement.ts';

/** Matrices and layers now on this side, now on that. */
function alternating(): Placement {
  let made = 0;
  return {
    name: 'alternating',
    matrix: () => ([0, 1, 'both'] as const)[made++ % 3]!,
    layer: layer => (layer % 2) as Side,
  };
}

parity('the CPU and the reference, which take turns', async () => {
  return new SplitBackend([await createWasmBackend({ threads: 1 }), createReferenceBackend()], alternating());
});

/** Matrices named `first` on the first side, others on the last. */
function named(): SplitBackend {
  const placement: Placement = { name: '', matrix: name => (name === 'first' ? 0 : 1), layer: () => 0 };
  return new SplitBackend([createReferenceBackend(), createReferenceBackend()], placement);
}

const identity = (backend: Backend, name: string) =>
  backend.matrix({
    ...{ name, type: 'F32', rows: 8, columns: 8 },
    async readRows(first, count, target) {
      const rows = Array.from({ length: count * 8 }, (_, i) => (i % 8 === first + Math.floor(i / 8) ? 1 : 0));
      target.set(new Uint8Array(Float32Array.from(rows).buffer));
    },
  });

const row = async (backend: Backend, buffer: Buffer, index: number) => {
  const values = new Float32Array(8);
  await backend.download(buffer, Int32Array.of(index), values);
  return [...values];
};

test('what a run did not bring over before it was preempted is brought over by the next', async () => {
  const backend = named();
  const [first, last] = [await identity(backend, 'first'), await identity(backend, 'last')];
  const [x, y, z] = [backend.buffer(1, 8), backend.buffer(1, 8), backend.buffer(1, 8)];
  const values = [1, 2, 3, 4, 5, 6, 7, 8];
  backend.write(x, 0, Float32Array.from(values));
  backend.matmul(y, first, x, 1);
  await backend.run();
  let asked = 0;
  backend.scale(x, 2, 1);
  backend.matmul(z, last, y, 1);
  assert.deepEqual(await backend.run(() => ++asked > 1), { kind: 'preempted', fraction: 0.5 });
  backend.matmul(z, last, y, 1);
  await backend.run();
  assert.deepEqual(await row(backend, z, 0), values);
  await backend.close();
});

test('rows of one buffer may have been written on different sides', async () => {
  const backend = named();
  const [first, last] = [await identity(backend, 'first'), await identity(backend, 'last')];
  const [x, y, z] = [backend.buffer(2, 8), backend.buffer(2, 8), backend.buffer(2, 8)];
  const values = [1, 2, 3, 4, 5, 6, 7, 8];
  for (const i of [0, 1])
    backend.write(
      x,
      i,
      Float32Array.from(values, value => value + i),
    );
  backend.matmul(backend.view(y, 0, 1), first, backend.view(x, 0, 1), 1);
  backend.matmul(backend.view(y, 1, 1), last, backend.view(x, 1, 1), 1);
  backend.matmul(z, last, y, 2);
  backend.matmul(backend.view(y, 1, 1), first, backend.view(z, 0, 1), 1);
  await backend.run();
  const both = new Float32Array(16);
  await backend.download(z, Int32Array.of(1, 0), both);
  assert.deepEqual([...both], [...values.map(value => value + 1), ...values]);
  assert.deepEqual(await row(backend, y, 1), values);
  assert.deepEqual(await row(backend, y, 0), values);
  await backend.close();
});

test('embeddings that are the output too are on both sides; an adapter’s and the layers on one', () => {
  const [tied, apart] = [splitAt(2, true), splitAt(2, false)];
  assert.deepEqual([tied.matrix('token_embd.weight'), apart.matrix('token_embd.weight')], ['both', 0]);
  assert.equal(tied.matrix('token_embd.weight.lora_a'), 0);
  for (const [name, side] of [
    ['blk.1.attn_q.weight', 0],
    ['blk.2.attn_q.weight', 1],
    ['blk.10.ffn_up.weight.lora_b', 1],
    ['output.weight', 1],
  ] as const)
    assert.equal(apart.matrix(name), side, name);
  const tensors = new Map(['blk.0.a', 'blk.11.b', 'token_embd.weight'].map(name => [name, { bytes: 5 }]));
  assert.deepEqual(splittable(tensors), { layers: 12, bytes: 15, tied: true });
});
