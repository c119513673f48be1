import type { RealmError } from '../errors.ts';
import { escapeControls } from '../gguf/escape.ts';
import { withoutKeys } from '../tenancy/keys.ts';
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
  const param = error.param === undefined ? null : printable(error.param);
  return { error: { message: printable(message), type: errorType(error.status), param, code: error.code } };
}

/** Longest message, in UTF-16 units. */
const longest = 2000;

/** Messages quote what clients sent, and end in logs and terminals. */
function printable(quoted: string): string {
  const text = withoutKeys(quoted);
  return escapeControls(text.length > longest ? `${text.slice(0, longest)}…` : text);
}

function errorType(status: number): string {
  if (status === 401) return 'authentication_error';
  if (status === 429) return 'rate_limit_error';
  return status < 500 ? 'invalid_request_error' : 'server_error';
}

/** Faults of the server's own, and what the system said, are logged with their stack; the client sees neither. */
export function reportError({ logger }: Services, { id }: Pick<Exchange, 'id'>, error: RealmError): void {
  const { code, status } = error;
  const cause = error.cause instanceof Error ? error.cause : undefined;
  if (code === 'internal_error')
    logger.log('error', 'internal error', { request_id: id, stack: stackOf(cause ?? error) });
  else if (status === 500 && cause) logger.log('error', 'failed', { request_id: id, code, stack: stackOf(cause) });
}

/** Parsers quote what they could not read, which may be a tenant's. */
function stackOf(error: Error): string | undefined {
  if (!(error instanceof SyntaxError)) return error.stack;
  return error.stack?.replace(error.message, () => error.message.replace(/".*"/s, '"…"'));
}
