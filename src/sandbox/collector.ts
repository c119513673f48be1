import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Released memory that makes a collection worth its 2 to 5 ms. */
const COLLECT_BYTES = 32 * 1024 * 1024;
/** What an instance costs beside its memory's pages: its 10 GB of reserved addresses are not free either. */
const INSTANCE_BYTES = 256 * 1024;

/**
 * Frees the memories of programs that have ended. V8 does not count them as heap, so that hundreds of them (64 MB
 * each, if a tenant wants) would wait for a collection that its small heap gives no reason for.
 */
export class MemoryCollector {
  readonly #collect: () => void;
  #released = 0;

  constructor() {
    setFlagsFromString('--expose-gc');
    this.#collect = runInNewContext('gc') as () => void;
  }

  released(memoryBytes: number): void {
    this.#released += memoryBytes + INSTANCE_BYTES;
  }

  collectIfWorthwhile(): void {
    if (this.#released < COLLECT_BYTES) return;
    this.#released = 0;
    this.#collect();
  }
}
