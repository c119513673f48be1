import type { z } from 'zod';
import { RealmError } from '../../errors.ts';
import type { Limits } from '../../tenancy/config.ts';
import { check, issueText } from '../../tenancy/issues.ts';
import type { Steps } from '../../tokenizer/steps.ts';
import { loadAdapterSchema, unloadAdapterSchema } from '../adapter-request.ts';
import { chatSchema } from '../chat-request.ts';
import { completionSchema } from '../completion-request.ts';
import { embeddingsSchema } from '../embedding-request.ts';
import { toCall } from '../responses/call.ts';
import { compactSchema, responsesSchema } from '../responses/request.ts';
import { toSummary } from '../responses/summary.ts';
import { applyTemplateSchema, detokenizeSchema, tokenizeSchema } from '../text-request.ts';

/** The schemas of all bodies by name. What they give must be cheap to hand over to another thread: few objects. */
const forms = {
  chat: chatSchema,
  completion: completionSchema,
  responses: (limits: Limits) => responsesSchema(limits).transform(toCall),
  compact: (limits: Limits) => compactSchema(limits).transform(toSummary).transform(toCall),
  embeddings: embeddingsSchema,
  tokenize: () => tokenizeSchema,
  detokenize: () => detokenizeSchema,
  applyTemplate: applyTemplateSchema,
  loadAdapter: () => loadAdapterSchema,
  unloadAdapter: () => unloadAdapterSchema,
};

export type BodyForm = keyof typeof forms;
export type Body<F extends BodyForm> = z.output<ReturnType<(typeof forms)[F]>>;

/** The JSON in `bytes` as its form wants it; throws `invalid_json`, or `invalid_request` naming the fields at fault. */
export function* parseBody(form: BodyForm, bytes: Uint8Array, limits: Limits): Steps<unknown> {
  const value = parseJson(new TextDecoder().decode(bytes));
  yield;
  return validate(form, value, limits);
}

/** The value as its form wants it; throws `invalid_request` naming the fields at fault. */
export function validate<F extends BodyForm>(form: F, value: unknown, limits: Limits): Body<F> {
  const result = check<unknown>(forms[form](limits), value);
  if ('value' in result) return result.value as Body<F>;
  const { issues } = result;
  const [first] = issues;
  throw new RealmError('invalid_request', issues.slice(0, 10).map(issueText).join('; '), {
    param: first?.path || undefined,
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    // The parser's message quotes the body; the client has it already.
    throw new RealmError('invalid_json', `The body is not JSON: ${(cause as Error).message}`, { cause });
  }
}
