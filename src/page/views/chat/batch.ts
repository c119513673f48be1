export interface Batch<T> {
  push(item: T): void;
  /** What has come is taken now. */
  flush(): void;
}

/** Collects what comes for so long, so that a page is not laid out anew for every token. */
export function batch<T>(everyMs: number, take: (items: readonly T[]) => void): Batch<T> {
  let items: T[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    const taken = items;
    items = [];
    if (taken.length > 0) take(taken);
  };
  return {
    push(item) {
      items.push(item);
      timer ??= setTimeout(flush, everyMs);
    },
    flush,
  };
}
