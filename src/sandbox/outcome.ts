import type { Outcome } from './messages.ts';

type Ending = Exclude<Outcome['kind'], 'done'>;

/** Why a run was ended from our side of the sandbox. */
export class Fault extends Error {
  readonly kind: Ending;

  constructor(kind: Ending, message: string) {
    super(message);
    this.kind = kind;
  }

  /** A trap, named. `usedBytes` is the size of the program's memory when it ended. */
  static from(error: unknown, usedBytes: number, memoryMb: number): Fault {
    const { kind, message } = classify(error, usedBytes, memoryMb);
    return new Fault(kind as Ending, message);
  }
}

/**
 * Names what ended a program. WebAssembly cannot say that memory.grow failed: compilers answer it with `unreachable`
 * or an abort. Such a trap counts as out of memory when at least half of the permitted memory is in use, since
 * allocators double.
 */
export function classify(
  error: unknown,
  usedBytes: number,
  memoryMb: number,
): { kind: Outcome['kind']; message: string } {
  const full = usedBytes >= (memoryMb * 1024 * 1024) / 2;
  const use = `with ${(usedBytes / 1024 / 1024).toFixed(1)} of ${memoryMb} MB in use`;
  if (error instanceof Fault) {
    const gaveUp = error.kind === 'trapped' && full;
    return gaveUp
      ? { kind: 'out_of_memory', message: `${error.message}, ${use}` }
      : { kind: error.kind, message: error.message };
  }
  if (error instanceof WebAssembly.RuntimeError) {
    const gaveUp = error.message === 'unreachable' && full;
    return { kind: gaveUp ? 'out_of_memory' : 'trapped', message: gaveUp ? `${error.message}, ${use}` : error.message };
  }
  if (error instanceof RangeError && /memory/i.test(error.message)) {
    return { kind: 'out_of_memory', message: error.message };
  }
  if (error instanceof RangeError) return { kind: 'trapped', message: 'call stack exhausted' };
  return { kind: 'trapped', message: error instanceof Error ? error.message : 'an exception that it did not catch' };
}
