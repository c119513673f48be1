import { platform } from '#platform';
import { RealmError } from '../errors.ts';
import type { SavedSequence } from '../sandbox/v2/types.ts';

interface Kept extends SavedSequence {
  readonly bytes: number;
  readonly until: number;
}

/** The most that all of a tenant's may be. */
interface SavedLimits {
  readonly sequences: number;
  readonly bytes: number;
}

const mostSeconds = 30 * 86_400;
const mostKey = 256;
const bytesOfToken = 4;

/** Sequences that programs keep for later runs of the same tenant's, as long as the model is loaded. */
export class SavedSequences {
  readonly #kept = new Map<string, Map<string, Kept>>();

  /** In the place of what has the same key. Throws `session_limit`, `invalid_request`. */
  save(tenant: string, key: string, saved: SavedSequence, ttlSeconds: number, limits: SavedLimits): void {
    const keyBytes = platform.utf8Length(key);
    if (keyBytes === 0 || keyBytes > mostKey)
      throw new RealmError('invalid_request', `A sequence is saved under a key of 1 to ${mostKey} bytes`);
    const all = this.#of(tenant);
    all.delete(key);
    const bytes = keyBytes + saved.tokens.length * bytesOfToken;
    const used = this.used(tenant);
    if (used.sequences >= limits.sequences || used.bytes + bytes > limits.bytes) throw full(limits);
    all.set(key, { ...saved, bytes, until: Date.now() + Math.min(Math.max(1, ttlSeconds), mostSeconds) * 1000 });
  }

  open(tenant: string, key: string): SavedSequence | undefined {
    const { tokens, answered, adapter } = this.#of(tenant).get(key) ?? {};
    return tokens && { tokens, answered: answered ?? 0, adapter };
  }

  used(tenant: string): SavedLimits {
    const all = [...this.#of(tenant).values()];
    return { sequences: all.length, bytes: all.reduce((sum, { bytes }) => sum + bytes, 0) };
  }

  /** Those that are not over. */
  #of(tenant: string): Map<string, Kept> {
    const all = this.#kept.get(tenant) ?? new Map<string, Kept>();
    this.#kept.set(tenant, all);
    for (const [key, { until }] of all) if (until <= Date.now()) all.delete(key);
    return all;
  }
}

function full({ sequences, bytes }: SavedLimits): RealmError {
  const message = `The saved sequences may be ${sequences} with ${bytes} bytes together (savedSequences, savedBytes of limits); save fewer, shorter or for less long`;
  return new RealmError('session_limit', message);
}
