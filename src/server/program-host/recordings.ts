/** Calls of a run that have ended and are not on record yet: a program goes on meanwhile, but its answer ends after them. */
export class Recordings {
  readonly #open = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;
  readonly #hurried = Promise.withResolvers<void>();
  #hurries = false;

  /** Resolves when they are wanted at once; undefined: they are. */
  get wanted(): Promise<void> | undefined {
    return this.#hurries ? undefined : this.#hurried.promise;
  }

  /** The program has ended. */
  hurry(): void {
    this.#hurries = true;
    this.#hurried.resolve();
  }

  add(recording: Promise<void>): void {
    const noted = recording.then(
      () => void this.#open.delete(noted),
      error => {
        this.#open.delete(noted);
        this.#failure ??= { error };
      },
    );
    this.#open.add(noted);
  }

  /** Resolves when all are on record. Throws what the first that failed did. */
  async done(): Promise<void> {
    this.hurry();
    while (this.#open.size > 0) await Promise.all(this.#open);
    if (this.#failure) throw this.#failure.error;
  }
}
