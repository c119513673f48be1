import type { z } from 'zod';
import { type ErrorCode, errorCodes, RealmError } from '../../errors.ts';
import { createProgramSchema, pushProgramSchema, rollbackProgramSchema } from '../../programs/operator-schema.ts';
import type { Limits } from '../../tenancy/config.ts';
import { check, type Issue, issueText } from '../../tenancy/issues.ts';
import {
  createKeySchema,
  createTenantSchema,
  rotateKeySchema,
  updateKeySchema,
  updateTenantSchema,
} from '../../tenancy/operator-schema.ts';
import { inputSchema } from '../../tenancy/schema.ts';
import type { Steps } from '../../tokenizer/steps.ts';
import { loadAdapterSchema, unloadAdapterSchema } from '../adapter-request.ts';
import { callMessageSchema } from '../calls/message.ts';
import { chatSchema } from '../chat-request.ts';
import { completionSchema } from '../completion-request.ts';
import { embeddingsSchema } from '../embedding-request.ts';
import { logsSchema } from '../logs-request.ts';
import { messagesSchema } from '../messages/request.ts';
import { addModelSchema, changeModelSchema } from '../model-request.ts';
import { ollamaChatSchema } from '../ollama/chat-request.ts';
import { ollamaEmbeddingsSchema, ollamaEmbedSchema } from '../ollama/embed-request.ts';
import { ollamaGenerateSchema } from '../ollama/generate-request.ts';
import { ollamaLoadSchema, ollamaShowSchema } from '../ollama/model-request.ts';
import { runPipelineSchema } from '../pipelines/request.ts';
import { rerankSchema } from '../rerank-request.ts';
import { toCall } from '../responses/call.ts';
import { compactSchema, responsesSchema } from '../responses/request.ts';
import { toSummary } from '../responses/summary.ts';
import { applyTemplateSchema, detokenizeSchema, tokenizeSchema } from '../text-request.ts';
import type { Translated } from '../translated.ts';

/** The schemas of all bodies by name. What they give must be cheap to hand over to another thread: few objects. */
const forms = {
  chat: chatSchema,
  completion: completionSchema,
  responses: (limits: Limits) => responsesSchema(limits).transform(toCall),
  compact: (limits: Limits) => compactSchema(limits).transform(toSummary).transform(toCall),
  embeddings: embeddingsSchema,
  rerank: rerankSchema,
  runPipeline: () => runPipelineSchema,
  ollamaEmbed: ollamaEmbedSchema,
  ollamaEmbeddings: () => ollamaEmbeddingsSchema,
  ollamaLoad: () => ollamaLoadSchema,
  ollamaShow: () => ollamaShowSchema,
  callMessage: () => callMessageSchema,
  tokenize: () => tokenizeSchema,
  detokenize: () => detokenizeSchema,
  applyTemplate: applyTemplateSchema,
  loadAdapter: () => loadAdapterSchema,
  unloadAdapter: () => unloadAdapterSchema,
  createTenant: () => createTenantSchema,
  updateTenant: () => updateTenantSchema,
  createKey: () => createKeySchema,
  updateKey: () => updateKeySchema,
  rotateKey: () => rotateKeySchema,
  createProgram: () => createProgramSchema,
  pushProgram: () => pushProgramSchema,
  rollbackProgram: () => rollbackProgramSchema,
  addModel: () => addModelSchema,
  changeModel: () => changeModelSchema,
  logs: () => logsSchema,
};

/** Of other APIs: each gives the body that one of the forms above is to judge, which knows all numbers and templates. */
const translations = {
  messages: messagesSchema,
  ollamaChat: ollamaChatSchema,
  ollamaGenerate: ollamaGenerateSchema,
};

type Forms = typeof forms;
type Translations = typeof translations;
export type BodyForm = keyof Forms | keyof Translations;
type OfForm<F extends keyof Forms> = z.output<ReturnType<Forms[F]>>;
export type Body<F extends BodyForm> = F extends keyof Forms
  ? OfForm<F>
  : F extends keyof Translations
    ? OfForm<z.output<ReturnType<Translations[F]>>['form']>
    : never;

/** The JSON in `bytes` as its form wants it; throws `invalid_json`, or `invalid_request` naming the fields at fault. */
export function* parseBody(form: BodyForm, bytes: Uint8Array, limits: Limits): Steps<unknown> {
  const value = parseJson(new TextDecoder().decode(bytes));
  yield;
  if (!(form in translations)) return validate(form as keyof Forms, value, limits);
  const said = checked<Translated<keyof Forms>>(schemaOf(form, limits) as z.ZodType<Translated<keyof Forms>>, value);
  yield;
  return validate(said.form, said.body, limits);
}

/** The value as its form wants it; throws `invalid_request` naming the fields at fault. */
export function validate<F extends keyof Forms>(form: F, value: unknown, limits: Limits): OfForm<F> {
  return checked<unknown>(schemaOf(form, limits), value) as OfForm<F>;
}

const schemas = new WeakMap<Limits, Map<BodyForm, z.ZodType>>();

/** Made once for a server's limits: zod compiles what it makes, which takes longer than most bodies. */
function schemaOf(form: BodyForm, limits: Limits): z.ZodType {
  const made = schemas.get(limits) ?? new Map<BodyForm, z.ZodType>();
  schemas.set(limits, made);
  const schema: z.ZodType = made.get(form) ?? { ...forms, ...translations }[form](limits);
  made.set(form, schema);
  return schema;
}

function checked<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = check(schema, value);
  if ('value' in result) return result.value;
  const { issues } = result;
  const [first] = issues;
  throw new RealmError(codeOf(first), issues.slice(0, 10).map(issueText).join('; '), {
    param: first?.path || undefined,
  });
}

/** What is wrong is the first thing that is wrong. */
const codeOf = (first: Issue | undefined): ErrorCode =>
  first?.code !== undefined && first.code in errorCodes ? (first.code as ErrorCode) : 'invalid_request';

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    // The parser's message quotes the body; the client has it already.
    throw new RealmError('invalid_json', `The body is not JSON: ${(cause as Error).message}`, { cause });
  }
}

/** What a body may be, as JSON Schema. */
export function bodySchema(form: BodyForm, limits: Limits): object {
  return inputSchema(schemaOf(form, limits));
}
