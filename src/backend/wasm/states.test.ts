import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Backend, BatchLayout, KvCache, Segment } from '../backend.ts';
import { createWasmBackend } from './create.ts';

let backend: Backend;
let cache: KvCache;
before(async () => {
  backend = await createWasmBackend({ variant: 'plain', threads: 1 });
  const layers = [{ kvHeads: 1, headDim: 64 }, { stateSize: 256 }];
  cache = backend.kvCache({ layers, pages: 1, slots: 2, type: 'F16' });
});
after(() => backend.close());

const batch = (slots: Partial<Segment> = {}): BatchLayout => ({
  tokens: 1,
  segments: [{ start: 0, count: 1, position: 1, pages: Int32Array.of(0), slot: 0, nextSlot: 1, ...slots }],
});
const vector = (length: number) => backend.vector(new Float32Array(length));

const convolve = ({ columns = 64, taps = 3, extra = 0, layer = 1, at = 0 }, segments = batch()) => {
  const [out, x] = [backend.buffer(1, columns), backend.buffer(1, columns)];
  backend.convolve(out, x, vector(taps * columns + extra), cache, layer, segments, { taps, at });
};

const deltaRule = ({ keyHeads = 1, keyDim = 16, valueHeads = 1, valueDim = 8, qkv = 40, gates = 1, out = 8 }) => {
  const inputs = {
    ...{ qkv: backend.buffer(1, qkv), alpha: backend.buffer(1, gates), beta: backend.buffer(1, gates) },
    ...{ decay: vector(valueHeads), shift: vector(valueHeads) },
  };
  const shape = { keyHeads, keyDim, valueHeads, valueDim, epsilon: 1e-6 };
  backend.deltaRule(backend.buffer(1, out), inputs, cache, 1, batch(), shape);
};

const scan = ({ heads = 2, headDim = 8, groups = 1, stateDim = 8, xbc = 32, skip = 2 }) => {
  const inputs = {
    ...{ xbc: backend.buffer(1, xbc), dt: backend.buffer(1, heads) },
    ...{ decay: vector(heads), shift: vector(heads), skip: vector(skip) },
  };
  backend.scan(backend.buffer(1, heads * headDim), inputs, cache, 1, batch(), { heads, headDim, groups, stateDim });
};

const refuses = (work: () => void, code: string, message: RegExp) => assert.throws(work, { code, message });

test('what fits is recorded', () => {
  convolve({});
  convolve({}, batch({ position: 0, slot: undefined }));
  deltaRule({});
  scan({});
});

test('a state that is too small, or is none, is refused with numbers', () => {
  refuses(() => convolve({ taps: 4, columns: 128 }), 'internal_error', /values 0 to 384 of a state of 256/);
  refuses(() => convolve({ at: 130 }), 'internal_error', /values 130 to 258 of a state of 256/);
  refuses(() => convolve({ layer: 0 }), 'internal_error', /layer 0 has no state/);
});

test('slots that are not there, or are one, are refused', () => {
  for (const slots of [{ slot: undefined }, { nextSlot: undefined }, { nextSlot: 2 }, { slot: 1 }, { slot: -1 }])
    refuses(() => convolve({}, batch(slots)), 'internal_error', /from slot .* of 2/);
});

test('shapes that do not fit each other are refused with numbers', () => {
  refuses(() => convolve({ extra: 1 }), 'internal_error', /kernel/);
  refuses(() => deltaRule({ qkv: 41 }), 'internal_error', /41 columns/);
  refuses(() => deltaRule({ gates: 2 }), 'internal_error', /2 gates for 1 heads/);
  refuses(() => deltaRule({ out: 16 }), 'internal_error', /1 heads of 8 into 16 columns/);
  refuses(() => deltaRule({ keyHeads: 2, valueHeads: 3 }), 'internal_error', /3 value heads with 2 key heads/);
  refuses(() => scan({ xbc: 33 }), 'internal_error', /33 columns/);
  refuses(() => scan({ skip: 3 }), 'internal_error', /3 .* for 2 heads/);
  refuses(() => scan({ heads: 3, groups: 2, skip: 3 }), 'internal_error', /3 heads in 2 groups/);
});

test('shapes without a kernel are refused', () => {
  refuses(() => convolve({ taps: 5, columns: 8 }), 'kernel_unavailable', /5 taps/);
  refuses(() => deltaRule({ keyDim: 12 }), 'kernel_unavailable', /12 x 8/);
  refuses(() => deltaRule({ valueDim: 4 }), 'kernel_unavailable', /16 x 4/);
  refuses(() => deltaRule({ keyDim: 512 }), 'kernel_unavailable', /keys of 512/);
  refuses(() => scan({ stateDim: 4 }), 'kernel_unavailable', /4 x 8/);
});
