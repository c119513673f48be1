/** What a source gave, and which it was. */
interface Taken<T> {
  readonly index: number;
  readonly source: AsyncGenerator<T>;
  readonly result: IteratorResult<T>;
}

/**
 * The events of several sources as they come. The slowest reader decides: at most one event of each source is taken
 * ahead. Leaving early, or a source's error, closes the others. A single source is itself.
 */
export function merge<T>(sources: readonly AsyncGenerator<T>[]): AsyncGenerator<T> {
  const [only, ...others] = sources;
  return only && others.length === 0 ? only : mergeAll(sources);
}

async function* mergeAll<T>(sources: readonly AsyncGenerator<T>[]): AsyncGenerator<T> {
  const pending = new Map<number, Promise<Taken<T>>>();
  const advance = (index: number, source: AsyncGenerator<T>) => {
    const next = source.next().then(result => ({ index, source, result }));
    // It may fail after the race is over.
    next.catch(() => {});
    pending.set(index, next);
  };
  try {
    for (const [index, source] of sources.entries()) advance(index, source);
    while (pending.size > 0) {
      const { index, source, result } = await Promise.race(pending.values());
      pending.delete(index);
      if (result.done) continue;
      advance(index, source);
      yield result.value;
    }
  } finally {
    // Not awaited: a source that waits for a token returns only after it, and who leaves early aborts it anyway.
    for (const source of sources) source.return(undefined).catch(() => {});
  }
}
