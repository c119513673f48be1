import { platform } from '#platform';

/** The memory that all models share. A cache counts whole when its model has been loaded, though the system gives it memory only as it is used. */
export class ModelMemory {
  /** Bytes; undefined where nobody knows. */
  readonly total: number | undefined;
  /** Somebody has said how much it is: more is never taken. What is merely free at the start is exceeded rather than a model refused. */
  readonly strict: boolean;
  readonly #taken = new Map<number, number>();

  /** `limit`: bytes that the configuration grants; absent: what is free now. */
  constructor(limit?: number, available = platform.availableMemory()) {
    this.total = limit ?? available;
    this.strict = limit !== undefined;
  }

  get free(): number | undefined {
    if (this.total === undefined) return undefined;
    const taken = [...this.#taken.values()].reduce((sum, bytes) => sum + bytes, 0);
    return Math.max(0, this.total - taken);
  }

  /** What a model that needs `need` bytes may take: an equal part of what is free for so many that are not loaded, or twice what it needs. */
  share(need: number, unloaded: number): number | undefined {
    const { free } = this;
    return free === undefined ? undefined : Math.max(free / unloaded, Math.min(free, 2 * need));
  }

  /** A model, by its number, takes so much. */
  take(id: number, bytes: number): void {
    this.#taken.set(id, bytes);
  }

  give(id: number): void {
    this.#taken.delete(id);
  }
}
