import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { ApiError } from './api/client.ts';

export interface Loaded<T> {
  /** The last that came, also after a failure. */
  readonly data: T | undefined;
  readonly error: unknown;
  reload(): void;
}

/** Loads when `load` changes, when asked and, if wanted, every so often while the page is seen. `load` must be stable. */
export function useLoad<T>(load: (signal: AbortSignal) => Promise<T>, everyMs?: number): Loaded<T> {
  const [state, setState] = useState<{ data: T | undefined; error: unknown }>({ data: undefined, error: undefined });
  const [turn, setTurn] = useState(0);
  const shown = useRef(load);

  useEffect(() => {
    const left = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const again = () => {
      if (everyMs !== undefined && !left.signal.aborted) timer = setTimeout(run, everyMs);
    };
    const run = async () => {
      if (document.hidden) return again();
      try {
        const data = await load(left.signal);
        if (!left.signal.aborted) setState({ data, error: undefined });
      } catch (error) {
        if (!left.signal.aborted) setState(({ data }) => ({ data, error }));
        // The same question gets the same answer until there is another key.
        if (error instanceof ApiError && (error.needsKey || error.routeMissing)) return;
      }
      again();
    };
    // What belongs to another question is not shown meanwhile.
    if (shown.current !== load) setState({ data: undefined, error: undefined });
    shown.current = load;
    void run();
    return () => {
      left.abort();
      clearTimeout(timer);
    };
  }, [load, everyMs, turn]);

  const reload = useCallback(() => setTurn(turn => turn + 1), []);
  return { ...state, reload };
}
