import { platform } from '#platform';
import type { EngineMemory } from '../engine/types.ts';

/**
 * What is free when a server starts, in equal parts for the models that are still to be loaded. A cache counts whole when
 * its model has been loaded, though the system gives it memory only as it is used.
 */
export class SharedMemory {
  #left: number | undefined;
  #models: number;

  constructor(models: number, available = platform.availableMemory()) {
    this.#models = models;
    this.#left = available;
  }

  /** Bytes that the next model may take; undefined where nobody knows. */
  get share(): number | undefined {
    return this.#left === undefined ? undefined : this.#left / this.#models;
  }

  /** The next model has been loaded and takes so much. */
  take({ weights, kvCache }: Pick<EngineMemory, 'weights' | 'kvCache'>): void {
    this.#models--;
    if (this.#left !== undefined) this.#left = Math.max(0, this.#left - weights - kvCache);
  }
}
