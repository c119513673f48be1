import { type ErrorCode, RealmError } from '../../errors.ts';
import { GuestError } from '../abi.ts';

/** Why a call of a program is refused: the code that it gets, and the text of `last_error`. */
export class Refusal extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

const codes: Partial<Record<ErrorCode, number>> = {
  invalid_request: GuestError.invalidArgument,
  grammar_invalid: GuestError.invalidArgument,
  grammar_limit: GuestError.invalidArgument,
  schema_unsupported: GuestError.invalidArgument,
  tools_unsupported: GuestError.invalidArgument,
  template_invalid: GuestError.invalidArgument,
  template_limit: GuestError.invalidArgument,
  model_not_found: GuestError.modelNotFound,
  adapter_not_found: GuestError.modelNotFound,
  context_length_exceeded: GuestError.contextTooLong,
  permission_denied: GuestError.notPermitted,
  session_not_found: GuestError.noHandle,
  session_limit: GuestError.limit,
  insufficient_quota: GuestError.budgetSpent,
  rate_limit_exceeded: GuestError.budgetSpent,
  queue_full: GuestError.budgetSpent,
  constraint_dead_end: GuestError.deadEnd,
  deadline_exceeded: GuestError.outOfTime,
  queue_timeout: GuestError.outOfTime,
  tool_failed: GuestError.toolFailed,
  tool_not_found: GuestError.toolNotFound,
};

/** What a program is told of an error of the host. Words of what is no RealmError are not for it. */
export function refusalOf(error: unknown): { readonly code: number; readonly message: string } {
  if (error instanceof Refusal) return error;
  if (!(error instanceof RealmError)) return { code: GuestError.generationFailed, message: 'the host failed' };
  return { code: codes[error.code] ?? GuestError.generationFailed, message: `${error.code}: ${error.message}` };
}
