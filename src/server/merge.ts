/**
 * The events of several sources as they come, each with its source's index. The slowest reader decides: at most one
 * event of each source is taken ahead. Leaving early, or a source's error, closes the others.
 */
export async function* merge<T>(sources: readonly AsyncIterable<T>[]): AsyncGenerator<{ index: number; value: T }> {
  const iterators = sources.map(source => source[Symbol.asyncIterator]());
  const pending = new Map<number, Promise<{ index: number; result: IteratorResult<T> }>>();
  const advance = (index: number) => {
    const next = iterators[index].next().then(result => ({ index, result }));
    // It may fail after the race is over.
    next.catch(() => {});
    pending.set(index, next);
  };
  try {
    for (const index of iterators.keys()) advance(index);
    while (pending.size > 0) {
      const { index, result } = await Promise.race(pending.values());
      pending.delete(index);
      if (result.done) continue;
      advance(index);
      yield { index, value: result.value };
    }
  } finally {
    // Not awaited: a source that waits for a token returns only after it, and who leaves early aborts it anyway.
    for (const iterator of iterators) iterator.return?.()?.catch(() => {});
  }
}
