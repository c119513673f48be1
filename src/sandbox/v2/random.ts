import { createCipheriv, createHash, randomFillSync } from 'node:crypto';

/** Random bytes for a program: with a seed the same in every run, the keystream of AES-256 in counter mode. */
export class RandomBytes {
  readonly #stream: ReturnType<typeof createCipheriv> | undefined;

  /** 0: no two runs get the same. */
  constructor(seed: bigint) {
    if (seed === 0n) return;
    const key = createHash('sha256').update(`realm2 ${seed}`).digest();
    this.#stream = createCipheriv('aes-256-ctr', key, new Uint8Array(16));
  }

  bytes(count: number): Uint8Array {
    const bytes = new Uint8Array(count);
    return this.#stream ? this.#stream.update(bytes) : randomFillSync(bytes);
  }
}
