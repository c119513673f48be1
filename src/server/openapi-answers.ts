/** What the answers of the main routes look like, by method and path, as JSON Schema: what clients may rely on, not every field. */

type Schema = Readonly<Record<string, unknown>>;

/** An answer by its `content-type`; a stream is a text here. */
export type Answer = Readonly<Record<string, Schema>>;

const text: Schema = { type: 'string' };
const count: Schema = { type: 'integer', minimum: 0 };
const number: Schema = { type: 'number' };
const nullable = (schema: Schema): Schema => ({ anyOf: [schema, { type: 'null' }] });
const list = (items: Schema): Schema => ({ type: 'array', items });
const is = (value: unknown): Schema => ({ const: value });
const whatever: Schema = {};

/** An object that has all of these; `may`: and may have those. */
const object = (properties: Readonly<Record<string, Schema>>, may: Readonly<Record<string, Schema>> = {}): Schema => ({
  type: 'object',
  required: Object.keys(properties),
  properties: { ...properties, ...may },
});

const json = (schema: Schema): Answer => ({ 'application/json': schema });
const events = { 'text/event-stream': text };
const lines = { 'application/x-ndjson': text };

const usage = object({ prompt_tokens: count, completion_tokens: count, total_tokens: count });
const promptUsage = object({ prompt_tokens: count, total_tokens: count });
const head = (kind: string) => ({ id: text, object: is(kind), created: count, model: text });
const call = object({ id: text, type: is('function'), function: object({ name: text, arguments: text }) });
const message = object(
  { role: is('assistant'), content: nullable(text), refusal: { type: 'null' } },
  { reasoning_content: text, tool_calls: list(call) },
);
const choice = (said: Readonly<Record<string, Schema>>) =>
  object({ index: count, ...said, logprobs: nullable({ type: 'object' }), finish_reason: text });

const chat = object({ ...head('chat.completion'), choices: list(choice({ message })), usage });
const completion = object({ ...head('text_completion'), choices: list(choice({ text })), usage });

const responseUsage = object({ input_tokens: count, output_tokens: count, total_tokens: count });
const response = object({
  id: text,
  object: is('response'),
  created_at: count,
  status: { enum: ['in_progress', 'completed', 'incomplete', 'failed', 'cancelled'] },
  model: text,
  output: list(object({ type: text })),
  usage: nullable(responseUsage),
  error: nullable(object({ code: text, message: text })),
});

const anthropic = object({
  id: text,
  type: is('message'),
  role: is('assistant'),
  model: text,
  content: list(object({ type: text })),
  stop_reason: { enum: ['end_turn', 'max_tokens', 'stop_sequence', 'tool_use'] },
  stop_sequence: nullable(text),
  usage: object({ input_tokens: count, output_tokens: count }),
});

const vector: Schema = { anyOf: [list(number), text] };
const embeddings = object({
  object: is('list'),
  data: list(object({ object: is('embedding'), index: count, embedding: vector })),
  model: text,
  usage: promptUsage,
});
const rerank = object({
  id: text,
  object: is('list'),
  model: text,
  results: list(object({ index: count, relevance_score: number })),
  usage: promptUsage,
});

const ollama = (said: Readonly<Record<string, Schema>>) =>
  object(
    { model: text, created_at: text, ...said, done: { type: 'boolean' } },
    { done_reason: text, eval_count: count },
  );
const ollamaChat = ollama({ message: object({ role: is('assistant'), content: text }) });
const ollamaText = ollama({ response: text });

const model = object({ id: text, object: is('model'), created: count, owned_by: text });
const listOf = (items: Schema) => object({ object: is('list'), data: list(items) });
const request = object({ id: text, object: is('request'), path: text, model: nullable(text), created: count });

const run = { id: text, object: is('pipeline.run'), pipeline: text, usage };
const steps = list(
  object({ step: text, kind: text, state: text, at_ms: count, ms: nullable(count), retries: count, usage }),
);
const keptRun = {
  ...run,
  tenant: text,
  state: { enum: ['running', 'complete', 'failed', 'cancelled'] },
  created_at: text,
  ms: nullable(count),
  error: nullable(object({ code: text, message: text })),
};
const pipeline = object({
  id: text,
  object: is('pipeline'),
  description: nullable(text),
  input: whatever,
  model: text,
});

export const answers: Readonly<Record<string, Answer>> = {
  'POST /v1/chat/completions': { ...json(chat), ...events },
  'POST /v1/completions': { ...json(completion), ...events },
  'POST /v1/responses': { ...json(response), ...events },
  'POST /v1/messages': { ...json(anthropic), ...events },
  'POST /v1/messages/count_tokens': json(object({ input_tokens: count })),
  'POST /v1/embeddings': json(embeddings),
  'POST /v1/rerank': json(rerank),
  'POST /api/chat': { ...json(ollamaChat), ...lines },
  'POST /api/generate': { ...json(ollamaText), ...lines },
  'POST /api/embed': json(object({ model: text, embeddings: list(list(number)) })),
  'POST /api/embeddings': json(object({ embedding: list(number) })),
  'GET /api/tags': json(object({ models: list(object({ name: text, model: text })) })),
  'GET /api/ps': json(object({ models: list(object({ name: text, model: text })) })),
  'POST /api/show': json(object({ details: { type: 'object' }, model_info: { type: 'object' } })),
  'GET /api/version': json(object({ version: text })),
  'GET /v1/models': json(listOf(model)),
  'GET /v1/models/{id}': json(model),
  'GET /v1/pipelines': json(listOf(pipeline)),
  'POST /v1/pipelines/{name}': { ...json(object({ ...run, output: whatever, steps })), ...events },
  'GET /v1/pipelines/runs': json(listOf(object(keptRun))),
  'GET /v1/pipelines/runs/{id}': json(object({ ...keptRun, steps })),
  'GET /admin/v1/pipelines/runs': json(object({ data: list(object(keptRun)) })),
  'GET /admin/v1/pipelines/runs/{id}': json(object({ ...keptRun, steps })),
  'GET /v1/requests': json(listOf(request)),
  'GET /v1/sessions': json(listOf({ type: 'object' })),
  'POST /tokenize': json(object({ tokens: list(whatever) })),
  'POST /detokenize': json(object({ content: text })),
  'POST /apply-template': json(object({ prompt: text })),
  'GET /tokenizer_info': json(
    object({ bos_token: nullable(text), eos_token: nullable(text), chat_template: nullable(text) }),
  ),
  'GET /health': json(
    object(
      { status: { enum: ['ok', 'degraded'] } },
      { failed_models: count, devices: list(object({ device: text, models: count, memory_bytes: count })) },
    ),
  ),
  'GET /ready': json(object({ status: is('ready') })),
  'GET /metrics': { 'text/plain': text },
  'GET /openapi.json': json(object({ openapi: text, paths: { type: 'object' } })),
};

/** Refusals as the Messages API and Ollama write them. */
export const messagesErrorSchema = object({
  type: is('error'),
  error: object({ type: text, message: text, code: text, param: nullable(text) }),
  request_id: text,
});
export const ollamaErrorSchema = object({ error: text, code: text, param: nullable(text) });
