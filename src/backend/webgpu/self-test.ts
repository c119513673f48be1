/** Proves a device before anything is computed on it: every kernel that a model needs, against the reference. */
import { asRealmError, RealmError } from '../../errors.ts';
import type { KernelPart } from '../../kernels/module.ts';
import type { Feature } from '../backend.ts';
import { createReferenceBackend } from '../reference/reference.ts';
import { check } from '../self-test.ts';
import type { WebGpuBackend } from './backend.ts';

/** How far a device's results may be from the reference's, as a fraction of the largest. */
const tolerance = 1e-3;

/**
 * Proves the parts, and of what not every backend can do these features. Sets `traits.exact` where the device computes the CPU's own
 * bits.
 *
 * @throws RealmError `kernel_unavailable` naming the kernels that fail or compute something else.
 */
export async function selfTest(
  backend: WebGpuBackend,
  parts: readonly KernelPart[],
  features: ReadonlySet<Feature> = backend.traits.features,
): Promise<void> {
  let exact = true;
  for (const part of parts) {
    const expected = await check(part, createReferenceBackend(), features);
    const actual = await check(part, backend, features).catch((error: unknown) => {
      const reason = asRealmError(error).message;
      throw new RealmError('kernel_unavailable', `${backend.device}: the kernels for ${part} fail: ${reason}`);
    });
    const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const wrong = actual.findIndex((value, i) => !(Math.abs(value - expected[i]!) <= tolerance * largest));
    if (wrong >= 0) {
      const what = `${actual[wrong]} where ${expected[wrong]} is right`;
      throw new RealmError('kernel_unavailable', `${backend.device}: the kernels for ${part} compute ${what}`);
    }
    exact &&= actual.every((value, i) => Object.is(value, expected[i]));
  }
  backend.traits = { ...backend.traits, exact };
}
