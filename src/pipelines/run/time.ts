import { setTimeout as sleep } from 'node:timers/promises';
import { RealmError } from '../../errors.ts';

/** Runs `work` with a signal that is aborted with `deadline_exceeded` after so many milliseconds. */
export async function within<T>(
  timeoutMs: number | undefined,
  outer: AbortSignal,
  what: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (timeoutMs === undefined) return await work(outer);
  const over = new AbortController();
  const deadline = () => over.abort(new RealmError('deadline_exceeded', `${what} took longer than ${timeoutMs} ms`));
  const timer = setTimeout(deadline, timeoutMs);
  try {
    return await work(AbortSignal.any([outer, over.signal]));
  } catch (error) {
    // What the work failed with is how it took the end.
    throw over.signal.aborted && !outer.aborted ? over.signal.reason : error;
  } finally {
    clearTimeout(timer);
  }
}

/** Throws what the signal was aborted with. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  if (milliseconds > 0) await sleep(milliseconds, undefined, { signal }).catch(() => {});
  signal.throwIfAborted();
}
