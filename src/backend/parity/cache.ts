/** Pages and slots: what is copied, read and written as one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Backend, KvCache } from '../backend.ts';
import { floats, layout } from './data.ts';
import { filled, results, type Same } from './suite.ts';

/** Layers of two kinds with keys and values, and one with a state. */
const layers = [
  { kvHeads: 2, headDim: 64 },
  { stateSize: 40 },
  { kvHeads: 1, headDim: 128 },
  { kvHeads: 4, headDim: 64 },
];

export function cache(backend: () => Backend, same: Same): void {
  same('layers with different heads in one cache, in copies of pages', backend => copied(backend));
  test('a page that is read and written elsewhere is the same page', () => moved(backend()));
  test('states in slots are copied, read and written', () => slots(backend()));
  test('a page has as many bytes as is said before there is a cache', () => {
    const { pageBytes } = cacheOf(backend());
    assert.equal(backend().kvPageBytes({ layers, type: 'F16' }), pageBytes);
  });
}

const cacheOf = (backend: Backend): KvCache => backend.kvCache({ layers, pages: 6, slots: 3, type: 'F16' });

/** Stores 40 tokens in pages 0 and 1 of every paged layer. */
function stored(backend: Backend): KvCache {
  const kv = cacheOf(backend);
  const batch = layout([{ position: 0, count: 40, pages: Int32Array.of(0, 1) }]);
  for (const [layer, shape] of layers.entries()) {
    if ('stateSize' in shape) continue;
    const columns = shape.kvHeads! * shape.headDim!;
    backend.storeKv(kv, layer, filled(backend, layer, 40, columns), filled(backend, 9 + layer, 40, columns), batch);
  }
  return kv;
}

/** What a token behind them sees in each layer. */
async function seen(backend: Backend, kv: KvCache, pages: readonly number[]): Promise<Float32Array[]> {
  const batch = layout([{ position: 39, count: 1, pages: Int32Array.from(pages) }]);
  const outs = layers.flatMap((shape, layer) => {
    if ('stateSize' in shape) return [];
    const columns = 4 * shape.headDim!;
    const out = backend.buffer(1, columns);
    backend.attention(out, filled(backend, 20 + layer, 1, columns), kv, layer, batch, { heads: 4, scale: 0.1 });
    return [out];
  });
  return results(backend, ...outs);
}

async function copied(backend: Backend): Promise<Float32Array[]> {
  const kv = stored(backend);
  // Onto each other in this order: page 3 gets what page 0 had, by way of page 2.
  backend.copyPages(kv, Int32Array.of(0, 2, 2, 3, 1, 4, 1, 0));
  return [...(await seen(backend, kv, [3, 4])), ...(await seen(backend, kv, [2, 0]))];
}

async function moved(backend: Backend): Promise<void> {
  const kv = stored(backend);
  const expected = await seen(backend, kv, [0, 1]);
  const page = new Uint8Array(kv.pageBytes);
  for (const [from, to] of [
    [0, 4],
    [1, 5],
  ] as const) {
    await backend.readPage(kv, from, page);
    await backend.writePage(kv, to, page);
  }
  assert.deepEqual(await seen(backend, kv, [4, 5]), expected);
}

async function slots(backend: Backend): Promise<void> {
  const kv = cacheOf(backend);
  assert.equal(kv.slotBytes, 4 * 40);
  const state = new Uint8Array(floats(1, 40).buffer);
  await backend.writeSlot(kv, 1, state);
  backend.copySlots(kv, Int32Array.of(1, 2));
  await backend.run();
  const read = new Uint8Array(kv.slotBytes);
  await backend.readSlot(kv, 2, read);
  assert.deepEqual(read, state);
}
