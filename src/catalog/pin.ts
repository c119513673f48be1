import { RealmError } from '../errors.ts';
import type { Pin } from './types.ts';

/** What is known of a pin. */
export type KnownPin = { readonly [Field in keyof Pin]?: Pin[Field] | undefined };

/** Throws `checksum_mismatch` unless what was found is what was promised. */
export function checkPin(what: string, found: Pin, pin: KnownPin): void {
  if (pin.size !== undefined && found.size !== pin.size) {
    throw new RealmError('checksum_mismatch', `${what} has ${found.size} bytes, expected ${pin.size}.`);
  }
  if (pin.sha256 !== undefined && found.sha256 !== pin.sha256) {
    throw new RealmError('checksum_mismatch', `${what} has SHA-256 ${found.sha256}, expected ${pin.sha256}.`);
  }
}
