import { asRealmError, type ErrorCode, type RealmError } from '../../errors.ts';

/** A step failed, and nothing caught it. */
export class StepFailure extends Error {
  readonly step: string;
  readonly error: RealmError;

  constructor(step: string, error: RealmError) {
    super(`the step '${step}' failed (${error.code}): ${error.message}`, { cause: error });
    this.step = step;
    this.error = error;
  }
}

/** What a step failed with: its own error, or that of a step inside it. */
export function errorOf(error: unknown): RealmError {
  return error instanceof StepFailure ? error.error : asRealmError(error);
}

/** Whether `on` names the code; what was cancelled stays so. */
export function isMeant(code: ErrorCode, on: readonly ErrorCode[] | undefined): boolean {
  return code !== 'request_cancelled' && (on === undefined || on.includes(code));
}
