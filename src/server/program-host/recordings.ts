/** Calls of a run that have ended and are not on record yet: a program goes on meanwhile, but its answer ends after them. */
export class Recordings {
  readonly #open = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;
  readonly #done = Promise.withResolvers<void>();
  #asked = false;

  /** Resolves when the answer's end waits; undefined: it does. */
  get wanted(): Promise<void> | undefined {
    return this.#asked ? undefined : this.#done.promise;
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
    this.#asked = true;
    this.#done.resolve();
    while (this.#open.size > 0) await Promise.all(this.#open);
    if (this.#failure) throw this.#failure.error;
  }
}
