/** The tests that every backend must pass; it needs no weights file. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { QuantType } from '../../quant/types.ts';
import type { Backend } from '../backend.ts';
import { createReferenceBackend } from '../reference/reference.ts';
import { attention } from './attention.ts';
import { cache } from './cache.ts';
import { floats } from './data.ts';
import { expertBiases, experts } from './experts.ts';
import { invariance } from './invariance.ts';
import { latents } from './latent.ts';
import { allTypes, products, refusesInfinity } from './products.ts';
import { rows } from './rows.ts';
import { sampling } from './sampling.ts';
import { states } from './states.ts';
import { assertNear, assertSameBits, flushed, refuses, type Same, type Scenario } from './suite.ts';

/** How far results may be from the reference's, as a fraction of the largest of their row. */
export interface Tolerance {
  readonly tolerance?: number;
  /** It takes subnormal numbers for zeros, as WGSL allows: what that may change is not compared, see {@link flushed}. */
  readonly flushes?: boolean;
  /** Types of matrices that it has kernels for. Default: all. */
  readonly types?: readonly QuantType[];
}

/** What the reference computed, by types and title: several backends in one process are held to the same results. */
const expected = new Map<string, Promise<Float32Array[]>>();

function expectedOf(key: string, scenario: Scenario): Promise<Float32Array[]> {
  const known = expected.get(key) ?? scenario(createReferenceBackend());
  expected.set(key, known);
  return known;
}

/**
 * Registers the tests: each operation gives what the reference backend gives, on seeded data, whatever the shapes, the batch
 * and the chunking. A backend whose `traits.exact` is set is held to the bits, another one to `tolerance`; and each to its own
 * bits, whatever else is in the step.
 */
export function parity(
  name: string,
  create: () => Backend | Promise<Backend>,
  { tolerance = 1e-4, flushes = false, types = allTypes }: Tolerance = {},
): void {
  describe(`parity of ${name} with the reference`, () => {
    let backend: Backend;
    before(async () => {
      backend = await create();
    });
    after(() => backend.close());
    const titles = new Set<string>();
    const same: Same = (title, scenario, feature) => {
      assert.ok(!titles.has(title), `two scenarios are called ${title}`);
      titles.add(title);
      test(title, async () => {
        if (feature && !backend.traits.features.has(feature)) return refuses(feature, () => scenario(backend));
        const found = await scenario(backend);
        const wanted = await expectedOf(`${types} ${title}`, scenario);
        const compared = flushes ? ([found.map(flushed), wanted.map(flushed)] as const) : ([found, wanted] as const);
        if (backend.traits.exact) assertSameBits(...compared);
        else assertNear(...compared, tolerance);
      });
    };
    products(same, types);
    rows(same);
    experts(same);
    attention(same);
    latents(same);
    expertBiases(same, types);
    cache(() => backend, same);
    states(() => backend, same);
    sampling(() => backend, same);
    for (const type of types) {
      test(`a non-finite scale is refused in ${type}`, () => refusesInfinity(backend, type));
    }
    invariance(() => backend, types);
    test('handles of another backend, of a closed one, and those given back are refused', () =>
      strangers(backend, create));
    test('a run that is preempted says how far it came', () => preempted(backend));
  });
}

async function strangers(backend: Backend, create: () => Backend | Promise<Backend>): Promise<void> {
  const other = await create();
  const [own, foreign] = [backend.buffer(1, 64), other.buffer(1, 64)];
  const refuses = (work: () => unknown) => assert.rejects(async () => work(), { code: 'internal_error' });
  await refuses(() => backend.add(own, foreign, 1));
  await refuses(() => backend.download(foreign, Int32Array.of(0), new Float32Array(64)));
  const matrix = await backend.matrix({
    ...{ name: 'm', type: 'F32', rows: 8, columns: 64 },
    readRows: async (_first, _count, target) => target.fill(0) && undefined,
  });
  await backend.loaded();
  backend.free(matrix);
  await refuses(() => backend.matmul(backend.buffer(1, 8), matrix, own, 1));
  await other.close();
  await refuses(() => other.add(foreign, foreign, 1));
}

/** A backend need not ask; one that did has not run the rest. */
async function preempted(backend: Backend): Promise<void> {
  const x = backend.buffer(4, 64);
  backend.write(x, 0, floats(1, 64));
  for (let i = 0; i < 50; i++) backend.scale(x, 1.01, 4);
  const outcome = await backend.run(() => true);
  if (outcome.kind === 'preempted') assert.ok(outcome.fraction >= 0 && outcome.fraction < 1);
  backend.scale(x, 1, 4);
  assert.deepEqual(await backend.run(() => false), { kind: 'done' });
}
