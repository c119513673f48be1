import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Backend } from '../backend.ts';
import { createReferenceBackend } from '../reference/reference.ts';
import { floats } from './data.ts';
import { assertNear, assertSameBits, filled, results, weights } from './suite.ts';

const [count, topK, width, inner, rows] = [5, 3, 64, 32, 9] as const;

/** Which experts tokens go to, and what they make of it. */
export function experts(backend: () => Backend, tolerance: number): void {
  for (const scaled of [false, true]) {
    test(`a mixture of experts${scaled ? ' with scales' : ''}`, async () => {
      const [actual, expected] = [await mixture(backend(), scaled), await mixture(createReferenceBackend(), scaled)];
      if (backend().traits.exact) assertSameBits(actual, expected);
      else assertNear(actual, expected, tolerance);
      assert.equal(actual.length, rows);
    });
  }
}

async function mixture(backend: Backend, scaled: boolean): Promise<Float32Array[]> {
  const up = await weights(backend, 'Q8_0', count * inner, width, 2);
  const down = await weights(backend, 'Q8_0', count * width, inner, 3);
  const scales = scaled ? backend.vector(floats(5, count, 2)) : undefined;
  const routing = backend.routing(rows, count, topK);
  const [middle, slots] = [backend.buffer(rows * topK, inner), backend.buffer(rows * topK, width)];
  const [x, out] = [filled(backend, 1, rows, width), filled(backend, 6, rows, width)];
  backend.route(routing, filled(backend, 4, rows, count, 3), rows, { scales });
  backend.expertMatmuls([{ out: middle, matrix: up }], x, 'tokens', routing, rows);
  backend.expertMatmuls([{ out: slots, matrix: down }], middle, 'slots', routing, rows);
  backend.combine(out, slots, routing, rows);
  return results(backend, out);
}
