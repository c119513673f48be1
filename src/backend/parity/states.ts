/** Layers with a state of fixed size: one slot is read, another is written. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Backend, BatchLayout, Buffer, KvCache, Segment } from '../backend.ts';
import { floats } from './data.ts';
import { layers, type StateLayer } from './state-layers.ts';
import { assertNear, assertSameBits, filled, refuses, results, type Same } from './suite.ts';

/** Tokens of a sequence, by its number: what they are follows from it and from their positions. */
interface Part extends Pick<Segment, 'position' | 'count'> {
  readonly sequence: number;
  /** The slot that is read, and the one that is written. */
  readonly slots: readonly [number, number];
}

const slotCount = 6;

/** On backends that have them; others must refuse them. */
export function states(backend: () => Backend, same: Same): void {
  same('rmsNorm over groups that have several weights in turn', inTurn, 'states');
  for (const layer of layers) {
    same(`${layer.title}: segments of several lengths`, async each => lengths(sequences(each, layer)), 'states');
    const only = (title: string, work: (sequences: Sequences) => Promise<void>) =>
      test(`${layer.title}: ${title}`, () => {
        const run = async () => work(sequences(backend(), layer));
        return backend().traits.features.has('states') ? run() : refuses('states', run);
      });
    only('chunks and neighbours change no bit', chunks);
    only('the slot that is read stays as it was, and counts as zeros at position 0', untouched);
    only('several sequences go on from one state', forked);
    only('a run that is preempted leaves the state', preempted);
  }
}

/** A cache whose slots hold anything at first, and a layer that goes through it. */
class Sequences {
  readonly backend: Backend;
  readonly cache: KvCache;
  readonly #layer: StateLayer;
  readonly #record: (out: Buffer, inputs: readonly Buffer[], cache: KvCache, batch: BatchLayout) => void;

  constructor(backend: Backend, layer: StateLayer) {
    this.backend = backend;
    this.#layer = layer;
    this.#record = layer.on(backend);
    const shape = { kvHeads: 1, headDim: 64 };
    const layers = [shape, { stateSize: layer.at + layer.stateSize + 3 }];
    this.cache = backend.kvCache({ layers, pages: 1, slots: slotCount, type: 'F16' });
  }

  record(...parts: readonly Part[]): Buffer {
    const tokens = parts.reduce((sum, { count }) => sum + count, 0);
    const inputs = this.#layer.inputs.map(columns => this.backend.buffer(tokens, columns));
    const segments: Segment[] = [];
    let start = 0;
    for (const { sequence, position, count, slots } of parts) {
      segments.push({ start, count, position, pages: Int32Array.of(0), slot: slots[0], nextSlot: slots[1] });
      for (let i = 0; i < count; i++)
        for (const [n, input] of inputs.entries())
          this.backend.write(input, start + i, token(1000 * sequence + position + i, n, input.columns));
      start += count;
    }
    const out = this.backend.buffer(tokens, this.#layer.outColumns);
    this.#record(out, inputs, this.cache, { tokens, segments });
    return out;
  }

  run(...parts: readonly Part[]): Promise<Float32Array[]> {
    return results(this.backend, this.record(...parts));
  }

  async state(slot: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(this.cache.slotBytes);
    await this.backend.readSlot(this.cache, slot, bytes);
    return bytes;
  }
}

const sequences = (backend: Backend, layer: StateLayer) => new Sequences(backend, layer);

/** Inputs of a token: some far out, some zero. */
function token(seed: number, input: number, columns: number): Float32Array {
  const scale = [3, 3, 300, 3, 3, 0, 3][seed % 7]!;
  return floats(10 * seed + input, columns, scale);
}

async function inTurn(backend: Backend): Promise<Float32Array[]> {
  const x = filled(backend, 1, 5, 6 * 48, 3);
  backend.rmsNorm(x, x, backend.vector(floats(2, 3 * 48)), 1e-5, 4, 3);
  return results(backend, x);
}

/** Three sequences side by side; the first begins with fewer tokens than a convolution has taps. */
async function lengths(all: Sequences): Promise<Float32Array[]> {
  const [a, b, c] = [1, 2, 3];
  return [
    ...(await all.run(
      { sequence: a, position: 0, count: 2, slots: [0, 1] },
      { sequence: b, position: 0, count: 37, slots: [2, 3] },
    )),
    ...(await all.run(
      { sequence: a, position: 2, count: 1, slots: [1, 0] },
      { sequence: b, position: 37, count: 16, slots: [3, 2] },
      { sequence: c, position: 0, count: 1, slots: [4, 5] },
    )),
    ...(await all.run(
      { sequence: c, position: 1, count: 18, slots: [5, 4] },
      { sequence: a, position: 3, count: 1, slots: [0, 1] },
      { sequence: b, position: 53, count: 1, slots: [2, 3] },
    )),
    ...(await all.run({ sequence: c, position: 19, count: 1, slots: [4, 5] })),
  ];
}

async function chunks(all: Sequences): Promise<void> {
  const run = async (counts: readonly number[], neighbour: number) => {
    const rows: Float32Array[] = [];
    for (const [i, count] of counts.entries()) {
      const part: Part = { sequence: 1, position: rows.length, count, slots: i % 2 ? [1, 0] : [0, 1] };
      const beside: Part = { sequence: 2, position: 0, count: neighbour, slots: [2, 3] };
      rows.push(...(await all.run(...(neighbour ? [beside] : []), part)).slice(neighbour));
    }
    return rows;
  };
  const whole = await run([512], 0);
  const same = all.backend.traits.exact
    ? assertSameBits
    : (a: Float32Array[], b: Float32Array[]) => assertNear(a, b, 1e-5);
  same(await run([1, 2, 1, 200, 16, 17, 275], 3), whole);
  same(await run(new Array(30).fill(1), 0), whole.slice(0, 30));
}

async function untouched(all: Sequences): Promise<void> {
  const first: Part = { sequence: 1, position: 0, count: 5, slots: [0, 1] };
  const clean = await all.run(first);
  await all.backend.writeSlot(all.cache, 0, new Uint8Array(floats(1, all.cache.slotBytes / 4).buffer));
  const [anything, before] = [await all.state(0), await all.state(1)];
  assert.deepEqual(await all.run(first), clean);
  assert.deepEqual(await all.state(0), anything);
  await all.run({ sequence: 1, position: 5, count: 20, slots: [1, 2] });
  await all.run({ sequence: 1, position: 5, count: 1, slots: [1, 3] });
  assert.deepEqual(await all.state(1), before);
}

async function forked(all: Sequences): Promise<void> {
  await all.run({ sequence: 1, position: 0, count: 9, slots: [0, 1] });
  const alone = await all.run({ sequence: 1, position: 9, count: 2, slots: [1, 2] });
  const both = await all.run(
    { sequence: 1, position: 9, count: 2, slots: [1, 3] },
    { sequence: 1, position: 9, count: 2, slots: [1, 4] },
  );
  assert.deepEqual(both, [...alone, ...alone]);
  const read = await Promise.all([2, 3, 4].map(slot => all.state(slot)));
  assert.deepEqual(read[1], read[0]);
  assert.deepEqual(read[2], read[0]);
}

async function preempted(all: Sequences): Promise<void> {
  const next: Part = { sequence: 1, position: 9, count: 3, slots: [1, 2] };
  await all.run({ sequence: 1, position: 0, count: 9, slots: [0, 1] });
  const before = await all.state(1);
  for (let i = 0; i < 3; i++) all.record(next);
  await all.backend.run(() => true);
  assert.deepEqual(await all.state(1), before);
  const rows = await all.run(next);
  assert.deepEqual(await all.run(next), rows);
}
