import { platform } from '#platform';

/** Random bytes for a program: with a seed the same in every run, the keystream of AES-256 in counter mode. */
export class RandomBytes {
  readonly #stream: ((count: number) => Uint8Array) | undefined;

  /** 0: no two runs get the same. */
  constructor(seed: bigint) {
    if (seed === 0n) return;
    const digest = platform.digests.sha256();
    digest.update(`realm2 ${seed}`);
    this.#stream = platform.digests.keystream(digest.digest());
  }

  /** At most 65,536. */
  bytes(count: number): Uint8Array {
    return this.#stream ? this.#stream(count) : crypto.getRandomValues(new Uint8Array(count));
  }
}
