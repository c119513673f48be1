import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RealmError } from '../errors.ts';
import type { Backend } from './backend.ts';
import { type BackendWish, type Machine, openBackend } from './open-backend.ts';
import { createReferenceBackend } from './reference/reference.ts';

const model = { layers: 24, bytes: 2400, tied: false };

/** A machine with a GPU that holds the weights of so many layers, those with a cache, and all that is open on it. */
function machineWith(weights: number, withCache = weights, gpu: Partial<Machine> = {}) {
  const open = new Set<string>();
  const tried: number[] = [];
  const named = async (name: string) => {
    const backend = createReferenceBackend();
    open.add(name);
    const memory = () => ({ weights: 100 * Math.min(tried.at(-1) ?? 0, weights), kvCache: 0, work: 0 });
    return Object.assign(backend, { name, memory, close: async () => void open.delete(name) });
  };
  const machine: Machine = { cpu: () => named('cpu'), hasGpu: async () => true, gpu: () => named('gpu'), ...gpu };
  const load = async (backend: Backend) => {
    if (backend.name === 'cpu') return 'all on the CPU';
    const border = Number(/from (\d+) on/.exec(backend.name)?.[1] ?? 0);
    tried.push(model.layers - border);
    if (model.layers - border > withCache) throw new RealmError('out_of_memory', 'no room');
    return `from ${border}`;
  };
  return { machine, load, tried, open };
}

async function opened(setting: ReturnType<typeof machineWith>, wish: Partial<BackendWish>) {
  const remarks: string[] = [];
  const onRemark = (remark: string) => remarks.push(remark);
  const { opened: how } = await openBackend(
    { types: new Set(), needs: new Set(), model, onRemark, ...wish },
    setting.load,
    setting.machine,
  );
  return { how, remarks, tried: setting.tried, open: [...setting.open] };
}

describe('layers on a GPU', () => {
  test('are all of them where there is room', async () => {
    for (const wish of [{}, { device: 'gpu' }, { gpuLayers: 24 }, { gpuLayers: 99 }] as const)
      assert.deepEqual(await opened(machineWith(24), wish), { how: 'from 0', remarks: [], tried: [24], open: ['gpu'] });
  });

  test('are as many as are asked for', async () => {
    const found = await opened(machineWith(24), { gpuLayers: 5 });
    assert.deepEqual(found, { how: 'from 19', remarks: [], tried: [5], open: ['gpu', 'cpu'] });
    const none = await opened(machineWith(24), { gpuLayers: 0, device: 'gpu' });
    assert.deepEqual(none, { how: 'all on the CPU', remarks: [], tried: [], open: ['cpu'] });
  });

  test('are fewer where there is no room, as many as the weights found, and somebody hears of it', async () => {
    for (const device of ['auto', 'gpu'] as const) {
      const found = await opened(machineWith(20, 18), { device });
      assert.deepEqual(found.tried, [24, 17]);
      assert.equal(found.how, 'from 7');
      assert.deepEqual(found.open, ['gpu', 'cpu']);
      assert.equal(found.remarks.length, 1);
      assert.match(found.remarks[0]!, /^17 of the model's 24 layers are on the GPU.*others are on the CPU$/);
    }
    // All weights found room, and the cache did not.
    assert.deepEqual((await opened(machineWith(24, 20), {})).tried, [24, 20]);
    assert.deepEqual((await opened(machineWith(24, 6), {})).tried, [24, 20, 10, 5]);
    assert.deepEqual((await opened(machineWith(0, 1), {})).tried, [24, 1]);
  });

  test('where not even a few find room: the CPU with auto, an error with gpu; nothing stays open', async () => {
    const found = await opened(machineWith(20, 2), {});
    assert.deepEqual(found.tried, [24, 17, 8, 4]);
    assert.equal(found.how, 'all on the CPU');
    assert.match(found.remarks.join(), /on the CPU, not on the GPU: .*24 of the model's 24 layers, nor for 4: no room/);
    assert.deepEqual(found.open, ['cpu']);
    const strict = machineWith(20, 2);
    await assert.rejects(opened(strict, { device: 'gpu' }), { code: 'out_of_memory', message: /nor for 4: no room/ });
    assert.deepEqual([...strict.open], []);
    const asked = machineWith(20, 2);
    await assert.rejects(opened(asked, { device: 'gpu', gpuLayers: 4 }), {
      message: /no room for 4 of the model's 24 layers: no room/,
    });
    assert.deepEqual(asked.tried, [4]);
    // One that fails, its first tries included, is the last.
    assert.deepEqual((await opened(machineWith(0, 0), {})).tried, [24, 1]);
  });

  test('are none where the CPU is asked for or there is no GPU; the model’s own errors try nothing else', async () => {
    const none = { hasGpu: async () => false };
    for (const found of [
      await opened(machineWith(24, 24, none), { gpuLayers: 5 }),
      await opened(machineWith(24), { device: 'cpu', gpuLayers: 5 }),
    ])
      assert.deepEqual(found, { how: 'all on the CPU', remarks: [], tried: [], open: ['cpu'] });
    const setting = machineWith(24);
    const bad = async () => Promise.reject(new RealmError('model_invalid', 'bad'));
    await assert.rejects(opened({ ...setting, load: bad }, {}), { code: 'model_invalid' });
    assert.deepEqual([...setting.open], []);
    await assert.rejects(opened(setting, { gpuLayers: -1 }), { code: 'invalid_request' });
  });
});
