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
  grammar_invalid: 400,
  grammar_limit: 400,
  schema_unsupported: 400,
  tools_unsupported: 400,
  media_unsupported: 400,
  constraint_dead_end: 500,
  model_not_found: 404,
  model_gated: 403,
  quantization_not_found: 404,
  model_exists: 409,
  model_unavailable: 503,
  route_not_found: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  body_too_large: 413,
  encoding_unsupported: 415,
  expectation_failed: 417,
  upgrade_required: 426,
  idempotency_conflict: 409,
  idempotency_key_in_use: 409,
  headers_too_large: 431,
  invalid_api_key: 401,
  host_not_allowed: 403,
  path_not_allowed: 403,
  no_admin_keys: 403,
  permission_denied: 403,
  tenant_not_found: 404,
  tenant_exists: 409,
  key_not_found: 404,
  defined_in_file: 409,
  queue_full: 429,
  too_many_connections: 429,
  insufficient_quota: 429,
  rate_limit_exceeded: 429,
  text_failed: 500,
  request_cancelled: 499,
  request_not_found: 404,
  response_not_found: 404,
  previous_response_not_found: 404,
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
  program_out_of_fuel: 502,
  program_not_found: 404,
  program_exists: 409,
  program_limit: 409,
  // Pipelines
  pipeline_invalid: 400,
  pipeline_not_found: 404,
  pipeline_failed: 502,
  output_invalid: 502,
  tool_not_found: 404,
  tool_failed: 502,
  // The machine
  config_invalid: 400,
  usage: 400,
  port_in_use: 500,
  out_of_memory: 500,
  download_failed: 502,
  checksum_mismatch: 502,
  audit_broken: 500,
  store_locked: 500,
  store_unavailable: 503,
  storage_failed: 500,
  engine_failed: 500,
  engine_unavailable: 503,
  kernel_unavailable: 500,
  not_ready: 503,
  shutting_down: 503,
  internal_error: 500,
} as const satisfies Record<string, number>;

/** What went wrong, for programs. */
export type ErrorCode = keyof typeof errorCodes;

/**
 * A refusal with a stable {@link ErrorCode}; `param` names the request field or configuration path at fault,
 * `retryAfter` says after how many seconds another try makes sense, `headers` are of the answer that refuses.
 */
export class RealmError extends Error {
  readonly code: ErrorCode;
  readonly param: string | undefined;
  readonly retryAfter: number | undefined;
  readonly headers: Readonly<Record<string, string>> | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: {
      param?: string | undefined;
      retryAfter?: number | undefined;
      headers?: Readonly<Record<string, string>> | undefined;
      cause?: unknown;
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'RealmError';
    this.code = code;
    this.param = options.param;
    this.retryAfter = options.retryAfter;
    this.headers = options.headers;
  }

  get status(): number {
    return errorCodes[this.code];
  }
}

/** What the system's errors about files mean. Its own words name paths: they are for the log. */
const systemReasons: Readonly<Record<string, string>> = {
  ENOENT: 'a file or folder is not there',
  EACCES: 'permission is denied',
  EPERM: 'permission is denied',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file would be too large',
  ENOTDIR: 'a part of the path is no folder',
  EISDIR: 'a folder stands where a file should be',
  EEXIST: 'a file stands where it should not',
  ENOTEMPTY: 'a folder is not empty',
  ENAMETOOLONG: 'the name is too long',
  ELOOP: 'its symbolic links go in a circle',
  EMFILE: 'too many files are open',
  ENFILE: 'too many files are open',
  EBUSY: 'the file is in use',
  ETXTBSY: 'the file is in use',
  EXDEV: 'it lies on another file system',
  EINVAL: 'the file system does not do that',
  ENOTSUP: 'the file system does not do that',
  ENOSYS: 'the file system does not do that',
  EIO: 'the disk failed',
  ENODEV: 'the disk is gone',
  ENXIO: 'the disk is gone',
  ESTALE: 'the disk is gone',
};

/** Why a call about files failed, without a path; undefined for other errors. */
export function systemReason(error: unknown): string | undefined {
  const { code, syscall } = (error ?? {}) as { code?: string; syscall?: unknown };
  return typeof syscall === 'string' && code !== undefined ? systemReasons[code] : undefined;
}

/** The RealmError in `error`; a `storage_failed` around the system's errors about files, an `internal_error` around the rest. */
export function asRealmError(error: unknown): RealmError {
  if (error instanceof RealmError) return error;
  const reason = systemReason(error);
  if (reason) return new RealmError('storage_failed', `a file cannot be read or written: ${reason}`, { cause: error });
  const message = error instanceof Error ? error.message : String(error);
  return new RealmError('internal_error', message, { cause: error });
}
