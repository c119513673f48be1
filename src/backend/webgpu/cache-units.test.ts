/** Pages and slots: copied, read and written as one. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Backend, KvShape } from '../backend.ts';
import { floats, layout } from '../parity/data.ts';
import { layers as layersWithStates, type StateLayer } from '../parity/state-layers.ts';
import { filled } from '../parity/suite.ts';
import { createWasmBackend } from '../wasm/create.ts';
import { WebGpuBackend } from './backend.ts';
import { Caches, type Unit } from './caches.ts';
import { Context } from './context.ts';
import type { GpuCache } from './handles.ts';
import { independent } from './ops/copy-units.ts';
import { pageBytesIn } from './page-layout.ts';

const layers = [{ kvHeads: 2, headDim: 64 }, { stateSize: 40 }, { kvHeads: 1, headDim: 32 }];
const shapeOf = (type: KvShape['type']): KvShape => ({ layers, pages: 6, slots: 3, type });

describe('pages and slots on a GPU', () => {
  let context: Context;
  before(async () => {
    context = await Context.open();
  });
  after(() => context.close());

  test('are written and read, and copied one after the other', async () => {
    const caches = new Caches(context);
    const cache = caches.create(shapeOf('F16'));
    for (const unit of ['page', 'slot'] as const) {
      const [a, b] = [bytesOf(cache, unit, 1), bytesOf(cache, unit, 2)];
      caches.write(cache, unit, 0, a);
      caches.write(cache, unit, 1, b);
      caches.copy(cache, unit, Int32Array.of(0, 2, 1, 0, 2, 1)); // exchanged
      context.recorder.submit();
      assert.deepEqual(await read(caches, cache, unit, 0), b);
      assert.deepEqual(await read(caches, cache, unit, 1), a);
    }
    assert.equal(cache.pageBytes, pageBytesIn(layers, 'F16'));
    assert.equal(caches.bytes, 6 * cache.pageBytes + 3 * cache.slotBytes);
  });

  for (const type of ['F16', 'Q8_0'] as const) {
    test(`a page's bytes are the CPU's: ${type}`, async () => {
      const batch = layout([{ position: 0, count: 33, pages: Int32Array.of(4, 1) }]);
      const caches = new Caches(context);
      const [cpu, cache] = [await createWasmBackend({ threads: 1 }), caches.create(shapeOf(type))];
      const other = cpu.kvCache(shapeOf(type));
      for (const layer of [0, 2]) {
        const columns = layer === 0 ? 128 : 32;
        const rows = (seed: number) =>
          Array.from({ length: 33 }, (_, i) => floats(seed + i, columns, i === 3 ? 1e5 : 1));
        const [k, v] = [rows(layer * 100), rows(layer * 100 + 50)];
        const [ours, theirs] = [[k, v].map(upload), [k, v].map(uploadTo(cpu))];
        caches.store(cache, layer, ours[0]!, ours[1]!, batch);
        cpu.storeKv(other, layer, theirs[0]!, theirs[1]!, batch);
      }
      context.recorder.submit();
      await cpu.run();
      const expected = new Uint8Array(other.pageBytes);
      await cpu.readPage(other, 4, expected);
      assert.deepEqual(await read(caches, cache, 'page', 4), expected);
      await cpu.close();
    });
  }

  test("a slot's bytes are the CPU's", async () => {
    const [cpu, gpu] = [await createWasmBackend({ threads: 1 }), new WebGpuBackend(context)];
    for (const layer of layersWithStates) {
      const [expected, found] = [await slotOf(cpu, layer), await slotOf(gpu, layer)];
      assert.deepEqual(found, expected, layer.title);
    }
    await cpu.close();
  });

  test('a cache that cannot be bound is refused with what can', () => {
    const caches = new Caches(context);
    const create = () => caches.create({ ...shapeOf('F16'), pages: 1 << 20 });
    assert.throws(create, { code: 'out_of_memory', message: /17179869184 bytes a layer; the GPU binds \d+ at once/ });
    const states = () => caches.create({ ...shapeOf('F16'), layers: [{ stateSize: 1 << 26 }], slots: 64 });
    assert.throws(states, { code: 'out_of_memory', message: /17179869184 bytes a layer; the GPU binds \d+ at once/ });
    assert.equal(caches.bytes, 0);
    const odd = { ...shapeOf('Q8_0'), layers: [{ kvHeads: 1, headDim: 80 }] };
    assert.throws(() => caches.create(odd), { code: 'kernel_unavailable' });
  });

  test('a cache that the GPU has no memory for is refused when the model is loaded', async () => {
    const full = {
      pushErrorScope: () => {},
      popErrorScope: async () => ({ message: 'full' }),
      createBuffer: () => ({}),
    };
    const device = { ...context.device, gpu: full as unknown as GPUDevice };
    const caches = new Caches(Object.assign(Object.create(context) as Context, { device }));
    caches.create(shapeOf('F16'));
    await assert.rejects(caches.loaded(), { code: 'out_of_memory', message: /no \d+ bytes left for caches/ });
  });

  const upload = (rows: readonly Float32Array[]) => {
    const buffer = context.buffer(rows.length, rows[0]!.length);
    rows.forEach((row, i) => void context.work.write(buffer.at + i * buffer.stride, row));
    return buffer;
  };
});

test('copies run at once that do not need each other', () => {
  const runs = independent(Int32Array.of(0, 2, 0, 3, 2, 4, 5, 0, 5, 1));
  assert.deepEqual(
    runs.map(run => [...run]),
    [
      [0, 2, 0, 3],
      [2, 4, 5, 0, 5, 1],
    ],
  );
});

/** The state behind a few tokens. */
async function slotOf(backend: Backend, layer: StateLayer): Promise<Uint8Array> {
  const layers = [{ kvHeads: 1, headDim: 64 }, { stateSize: layer.at + layer.stateSize }];
  const cache = backend.kvCache({ layers, pages: 1, slots: 2, type: 'F16' });
  const bytes = new Uint8Array(cache.slotBytes);
  await backend.writeSlot(cache, 1, bytes);
  const segment = { start: 0, count: 6, position: 0, pages: Int32Array.of(0), slot: 0, nextSlot: 1 };
  const inputs = layer.inputs.map((columns, i) => filled(backend, i, 6, columns));
  layer.on(backend)(backend.buffer(6, layer.outColumns), inputs, cache, { tokens: 6, segments: [segment] });
  await backend.run();
  await backend.readSlot(cache, 1, bytes);
  return bytes;
}

const uploadTo = (backend: Awaited<ReturnType<typeof createWasmBackend>>) => (rows: readonly Float32Array[]) => {
  const buffer = backend.buffer(rows.length, rows[0]!.length);
  rows.forEach((row, i) => void backend.write(buffer, i, row));
  return buffer;
};

function bytesOf(cache: GpuCache, unit: Unit, seed: number): Uint8Array {
  const bytes = unit === 'page' ? cache.pageBytes : cache.slotBytes;
  return new Uint8Array(floats(seed, bytes / 4).buffer);
}

async function read(caches: Caches, cache: GpuCache, unit: Unit, index: number): Promise<Uint8Array> {
  const target = new Uint8Array(unit === 'page' ? cache.pageBytes : cache.slotBytes);
  await caches.read(cache, unit, index, target);
  return target;
}
