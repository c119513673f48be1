/**
 * The events of several sources as they come. The slowest reader decides: at most one event of each source is taken
 * ahead. Leaving early, or a source's error, closes the others. A single source is itself.
 */
export function merge<T>(sources: readonly AsyncGenerator<T>[]): AsyncGenerator<T> {
  return sources.length === 1 ? sources[0] : mergeAll(sources);
}

async function* mergeAll<T>(sources: readonly AsyncGenerator<T>[]): AsyncGenerator<T> {
  const pending = new Map<number, Promise<{ index: number; result: IteratorResult<T> }>>();
  const advance = (index: number) => {
    const next = sources[index].next().then(result => ({ index, result }));
    // It may fail after the race is over.
    next.catch(() => {});
    pending.set(index, next);
  };
  try {
    for (const index of sources.keys()) advance(index);
    while (pending.size > 0) {
      const { index, result } = await Promise.race(pending.values());
      pending.delete(index);
      if (result.done) continue;
      advance(index);
      yield result.value;
    }
  } finally {
    // Not awaited: a source that waits for a token returns only after it, and who leaves early aborts it anyway.
    for (const source of sources) source.return(undefined).catch(() => {});
  }
}
