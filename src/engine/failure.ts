import { RealmError, systemReason } from '../errors.ts';
import type { EngineFailure } from './request.ts';

/** The error as it crosses threads. */
export function failure(error: RealmError): EngineFailure {
  const { code, message, param, retryAfter, cause } = error;
  const detail = systemReason(cause) && (cause as Error).message;
  return {
    kind: 'error',
    code,
    message,
    ...(param && { param }),
    ...(retryAfter && { retryAfter }),
    ...(detail && { detail }),
  };
}

/** What {@link failure} made portable. */
export function errorOf({ code, message, param, retryAfter, detail }: EngineFailure): RealmError {
  const cause = detail === undefined ? undefined : new Error(detail);
  return new RealmError(code, message, { param, retryAfter, cause });
}
