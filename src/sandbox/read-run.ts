import { breathe } from '../breathe.ts';
import { RealmError } from '../errors.ts';
import type { ProgramCall } from './types.ts';

/** A run as whoever waits for its answer has it. */
interface ReadableRun {
  /** Aborted as soon as it has ended. */
  readonly over: AbortSignal;
  read(): Promise<string | undefined>;
  cancel(error: unknown): void;
}

/** What a run says. It is cancelled when its time is over, its caller aborts it, or its reader leaves. */
export async function* readRun(
  run: ReadableRun,
  call: ProgramCall,
  start: () => Promise<void>,
): AsyncGenerator<string, void, undefined> {
  const timer = setTimeout(() => run.cancel(deadline(call)), call.limits.deadlineMs);
  const onAbort = () => run.cancel(cancelled());
  call.signal.addEventListener('abort', onAbort, { once: true });
  void start();
  try {
    for (let piece = await run.read(); piece !== undefined; piece = await run.read()) {
      yield piece;
      await breathe();
    }
  } finally {
    clearTimeout(timer);
    call.signal.removeEventListener('abort', onAbort);
    // Whoever stops reading has cancelled.
    if (!run.over.aborted) run.cancel(cancelled());
  }
}

export const cancelled = () => new RealmError('request_cancelled', 'The request was cancelled by its client.');

function deadline({ program, limits }: ProgramCall): RealmError {
  const message = `Program ${program.name} did not finish within its deadline_ms (${limits.deadlineMs}).`;
  return new RealmError('program_deadline', message);
}
