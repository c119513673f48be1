import { sharedBytes } from '../../platform/shared-bytes.ts';

/** Words of the shared memory. */
const beats = 0;
const stepping = 1;

/** Where an engine's thread says that its steps get on, and others see it without asking the thread. A beat is one store. */
export class Heartbeat {
  readonly shared: ArrayBufferLike;
  readonly #words: Int32Array;

  constructor(shared: ArrayBufferLike = sharedBytes(8)) {
    this.shared = shared;
    this.#words = new Int32Array(shared);
  }

  /** A step begins. */
  begin(): void {
    Atomics.store(this.#words, stepping, 1);
    this.beat();
  }

  /** It gets on. */
  beat(): void {
    Atomics.add(this.#words, beats, 1);
  }

  end(): void {
    this.beat();
    Atomics.store(this.#words, stepping, 0);
  }

  get beats(): number {
    return Atomics.load(this.#words, beats);
  }

  get stepping(): boolean {
    return Atomics.load(this.#words, stepping) === 1;
  }
}
