import assert from 'node:assert/strict';
import { test } from 'node:test';
import { heldMemory, memoryByKind, processMemory } from './memory.ts';

const own = { resident: 1000, heap: 50, external: 10, code: 60 };

test('kinds add up to what is resident, over all models', () => {
  const models = [
    { weights: 100, kvTouched: 20, work: 5, heap: 7 },
    { weights: 200, kvTouched: 0, work: 5 },
  ];
  const { resident, ...kinds } = memoryByKind(models, own);
  assert.deepEqual(kinds, { weights: 300, kv_cache: 20, work: 10, heap: 57, external: 10, code: 60, other: 543 });
  assert.equal(
    Object.values(kinds).reduce((a, b) => a + b),
    resident,
  );
});

test('nothing is less than nothing where buffers are not touched yet', () => {
  assert.equal(memoryByKind([{ weights: 900, kvTouched: 0, work: 500 }], own).other, 0);
});

test('what a GPU holds is not the process’s', () => {
  const models = [
    { weights: 300, kvTouched: 20, work: 5, gpu: 325, heap: 7 },
    { weights: 300, kvTouched: 20, work: 5, gpu: 205 },
  ];
  const { weights, kv_cache, work, heap } = memoryByKind(models, own);
  assert.deepEqual({ weights, kv_cache, work, heap }, { weights: 120, kv_cache: 0, work: 0, heap: 57 });
});

test('this process has memory', () => {
  const { resident, heap, external, code } = processMemory();
  assert.ok(resident > heap && heap > 0 && external > 0);
  assert.ok(process.platform !== 'linux' || (code > 0 && code < resident));
});

test('a model is on the processors, on a GPU, or on both', () => {
  const model = { weights: 300, kvCache: 50, work: 5 };
  assert.deepEqual(heldMemory(model), { host: 350, gpu: 0 });
  assert.deepEqual(heldMemory({ ...model, gpu: 355 }), { host: 0, gpu: 355 });
  assert.deepEqual(heldMemory({ ...model, gpu: 205 }), { host: 150, gpu: 205 });
});
