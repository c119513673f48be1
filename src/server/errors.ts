import type { RealmError } from '../errors.ts';
import type { Exchange } from './exchange.ts';
import type { Services } from './services.ts';

/** OpenAI's error shape. */
export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string;
  };
}

/** An unforeseen error's own text stays in the log: it may name files or hold a tenant's words. */
export function errorBody(error: RealmError, requestId: string): ErrorBody {
  const message =
    error.code === 'internal_error' ? `Internal error; the server's log has it under ${requestId}` : error.message;
  return { error: { message, type: errorType(error.status), param: error.param ?? null, code: error.code } };
}

function errorType(status: number): string {
  if (status === 401) return 'authentication_error';
  if (status === 429) return 'rate_limit_error';
  return status < 500 ? 'invalid_request_error' : 'server_error';
}

/** Faults of the server's own, and what the system said, are logged with their stack; the client sees neither. */
export function reportError({ logger }: Services, { id }: Exchange, error: RealmError): void {
  const { code, status } = error;
  const cause = error.cause instanceof Error ? error.cause : undefined;
  if (code === 'internal_error')
    logger.log('error', 'internal error', { request_id: id, stack: (cause ?? error).stack });
  else if (status === 500 && cause) logger.log('error', 'failed', { request_id: id, code, stack: cause.stack });
}
