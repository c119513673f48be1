import { createSHA256 } from 'hash-wasm';

/**
 * SHA-256 of what is too long for scripts: in WebAssembly, five to eight times as fast as `@noble/hashes`. WebCrypto is
 * faster still, and wants the whole file in memory.
 */
export interface RunningSha256 {
  update(bytes: Uint8Array): void;
  /** Where it is; {@link runningSha256} goes on from there. */
  state(): number[];
  /** Lower-case hex. It takes no more bytes afterwards. */
  digest(): string;
}

/** Throws where the state is not of this version of it. */
export async function runningSha256(state?: readonly number[]): Promise<RunningSha256> {
  const hash = await createSHA256();
  if (state) hash.load(Uint8Array.from(state));
  return {
    update: bytes => void hash.update(bytes),
    state: () => Array.from(hash.save()),
    digest: () => hash.digest(),
  };
}
