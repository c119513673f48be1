/**
 * Every refusal of Realm: one class, a stable code, an HTTP status and a message that says what to do.
 * The table is the single source of codes; docs/errors.md explains each of them and a test compares the two.
 */
export const errorCodes = {
  // Model files
  gguf_invalid: 400,
  gguf_truncated: 400,
  gguf_limit: 400,
  gguf_type_unknown: 400,
  architecture_unknown: 400,
  model_invalid: 400,
  model_file_missing: 404,
  tokenizer_unknown: 400,
  template_invalid: 400,
  template_limit: 400,
  draft_invalid: 400,
  adapter_invalid: 400,
  adapter_not_found: 404,
  adapter_exists: 409,
  // Requests
  http_invalid: 400,
  invalid_json: 400,
  invalid_request: 400,
  context_length_exceeded: 400,
  model_not_found: 404,
  route_not_found: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  body_too_large: 413,
  encoding_unsupported: 415,
  expectation_failed: 417,
  headers_too_large: 431,
  invalid_api_key: 401,
  host_not_allowed: 403,
  queue_full: 429,
  request_cancelled: 499,
  request_not_found: 404,
  deadline_exceeded: 504,
  queue_timeout: 503,
  session_not_found: 404,
  session_mismatch: 409,
  session_corrupted: 409,
  session_limit: 409,
  session_failed: 500,
  // Tenant programs
  program_invalid: 400,
  program_trapped: 502,
  program_out_of_memory: 502,
  program_deadline: 504,
  program_failed: 502,
  // The machine
  config_invalid: 400,
  usage: 400,
  port_in_use: 500,
  out_of_memory: 500,
  download_failed: 502,
  checksum_mismatch: 502,
  store_locked: 500,
  engine_failed: 500,
  kernel_unavailable: 500,
  not_ready: 503,
  shutting_down: 503,
  internal_error: 500,
} as const satisfies Record<string, number>;

export type ErrorCode = keyof typeof errorCodes;

/**
 * A refusal with a stable {@link ErrorCode}; `param` names the request field or configuration path at fault,
 * `retryAfter` says after how many seconds another try makes sense.
 */
export class RealmError extends Error {
  readonly code: ErrorCode;
  readonly param: string | undefined;
  readonly retryAfter: number | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: { param?: string; retryAfter?: number; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'RealmError';
    this.code = code;
    this.param = options.param;
    this.retryAfter = options.retryAfter;
  }

  get status(): number {
    return errorCodes[this.code];
  }
}

/** The RealmError in `error`, or an `internal_error` around anything else. */
export function asRealmError(error: unknown): RealmError {
  if (error instanceof RealmError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new RealmError('internal_error', message, { cause: error });
}
