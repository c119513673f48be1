/**
 * Whatever changes an answer is never ignored: every field that the official clients declare is in the schema of its
 * body, which honours it, ignores it because it changes no answer, or refuses it by its name.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { z } from 'zod';
import { chatSchema } from '../../src/server/chat-request.ts';
import { completionSchema } from '../../src/server/completion-request.ts';
import { embeddingsSchema } from '../../src/server/embedding-request.ts';
import { messagesSchema } from '../../src/server/messages/request.ts';
import { ollamaChatSchema } from '../../src/server/ollama/chat-request.ts';
import { ollamaEmbeddingsSchema, ollamaEmbedSchema } from '../../src/server/ollama/embed-request.ts';
import { ollamaGenerateSchema } from '../../src/server/ollama/generate-request.ts';
import { ollamaShowSchema } from '../../src/server/ollama/model-request.ts';
import { compactSchema, responsesSchema } from '../../src/server/responses/request.ts';
import { defaultConfig } from '../../src/tenancy/config.ts';
import { declaredFields } from '../support/declared-fields.ts';
import { type Fate, fieldsAt } from '../support/schema-fields.ts';
import { post, scripted } from './scripted.ts';
import { toolFormat } from './tool-model.ts';

const limits = { ...defaultConfig().limits, bodyBytes: 1_000_000 };
const openai = 'openai/resources';
const chats = `${openai}/chat/completions/completions.d.ts`;
const responses = `${openai}/responses/responses.d.ts`;
const shared = `${openai}/shared.d.ts`;
const anthropic = '@anthropic-ai/sdk/resources/messages/messages.d.ts';
const anthropicBeta = '@anthropic-ai/sdk/resources/beta/messages/messages.d.ts';
const ollama = 'ollama/dist/browser.d.ts';

/** The path, its schema, a body without anything that may be left out, and where the types of its parts are declared. */
const apis: [string, z.ZodType, object, [file: string, type: string, path?: string][]][] = [
  [
    '/v1/chat/completions',
    chatSchema(limits),
    { messages: [{ role: 'user', content: 'Hi' }] },
    [
      [chats, 'ChatCompletionCreateParamsBase'],
      [chats, 'ChatCompletionStreamOptions', 'stream_options'],
      [chats, 'ChatCompletionFunctionTool', 'tools'],
      [shared, 'FunctionDefinition', 'tools.function'],
      [chats, 'ChatCompletionNamedToolChoice', 'tool_choice'],
      [chats, 'ChatCompletionAllowedToolChoice', 'tool_choice'],
      [chats, 'ChatCompletionAllowedTools', 'tool_choice.allowed_tools'],
      [chats, 'ChatCompletionDeveloperMessageParam', 'messages'],
      [chats, 'ChatCompletionSystemMessageParam', 'messages'],
      [chats, 'ChatCompletionUserMessageParam', 'messages'],
      [chats, 'ChatCompletionAssistantMessageParam', 'messages'],
      [chats, 'ChatCompletionToolMessageParam', 'messages'],
      [chats, 'ChatCompletionMessageFunctionToolCall', 'messages.tool_calls'],
      [shared, 'ResponseFormatJSONSchema', 'response_format'],
      [shared, 'JSONSchema', 'response_format.json_schema'],
    ],
  ],
  [
    '/v1/completions',
    completionSchema(limits),
    { prompt: 'a' },
    [[`${openai}/completions.d.ts`, 'CompletionCreateParamsBase']],
  ],
  [
    '/v1/embeddings',
    embeddingsSchema(limits),
    { input: 'a' },
    [[`${openai}/embeddings.d.ts`, 'EmbeddingCreateParams']],
  ],
  [
    '/v1/responses',
    responsesSchema(limits),
    { input: 'Hi' },
    [
      [responses, 'ResponseCreateParamsBase'],
      [shared, 'Reasoning', 'reasoning'],
      [responses, 'ResponseTextConfig', 'text'],
      [responses, 'ResponseFormatTextJSONSchemaConfig', 'text.format'],
      [responses, 'FunctionTool', 'tools'],
      [responses, 'EasyInputMessage', 'input'],
      [responses, 'ResponseOutputMessage', 'input'],
      [responses, 'FunctionCallOutput', 'input'],
      [responses, 'ResponseReasoningItem', 'input'],
      [responses, 'ResponseCompactionItemParam', 'input'],
      [responses, 'ItemReference', 'input'],
    ],
  ],
  ['/v1/responses/compact', compactSchema(limits), { model: 'x', input: 'Hi' }, [[responses, 'ResponseCompactParams']]],
  [
    '/v1/messages',
    messagesSchema(limits),
    { max_tokens: 20, messages: [{ role: 'user', content: 'Hi' }] },
    [
      [anthropic, 'MessageCreateParamsBase'],
      [anthropicBeta, 'MessageCreateParamsBase'],
      [anthropic, 'MessageCountTokensParams'],
      [anthropicBeta, 'MessageCountTokensParams'],
      [anthropic, 'Tool', 'tools'],
      [anthropicBeta, 'BetaTool', 'tools'],
      [anthropic, 'ToolChoiceAuto', 'tool_choice'],
      [anthropic, 'ToolChoiceTool', 'tool_choice'],
      [anthropic, 'ThinkingConfigEnabled', 'thinking'],
      [anthropic, 'ThinkingConfigAdaptive', 'thinking'],
      [anthropic, 'OutputConfig', 'output_config'],
      [anthropicBeta, 'BetaOutputConfig', 'output_config'],
      [anthropic, 'JSONOutputFormat', 'output_config.format'],
      [anthropic, 'UserMessageParam', 'messages'],
      [anthropic, 'AssistantMessageParam', 'messages'],
      [anthropic, 'SystemMessageParam', 'messages'],
      [anthropic, 'TextBlockParam', 'messages.content'],
      [anthropic, 'TextBlockParam', 'system'],
      [anthropic, 'ToolUseBlockParam', 'messages.content'],
      [anthropic, 'ToolResultBlockParam', 'messages.content'],
      [anthropic, 'ThinkingBlockParam', 'messages.content'],
    ],
  ],
  [
    '/api/chat',
    ollamaChatSchema(limits),
    { messages: [{ role: 'user', content: 'Hi' }] },
    [
      [ollama, 'ChatRequest'],
      [ollama, 'Message', 'messages'],
      [ollama, 'Options', 'options'],
    ],
  ],
  [
    '/api/generate',
    ollamaGenerateSchema(),
    { prompt: 'a' },
    [
      [ollama, 'GenerateRequest'],
      [ollama, 'Options', 'options'],
    ],
  ],
  ['/api/embed', ollamaEmbedSchema(limits), { input: 'a' }, [[ollama, 'EmbedRequest']]],
  ['/api/embeddings', ollamaEmbeddingsSchema, { prompt: 'a' }, [[ollama, 'EmbeddingsRequest']]],
  ['/api/show', ollamaShowSchema, {}, [[ollama, 'ShowRequest']]],
];

/** Clients send these as headers. */
const headers = ['user_profile_id', 'workspace_id'];

for (const [path, schema, , declared] of apis) {
  test(`${path}: nothing that its client declares is unknown`, () => {
    for (const [file, type, at = ''] of declared) {
      const known = fieldsAt(schema, at === '' ? [] : at.split('.'));
      const unknown = declaredFields(file, type).filter(name => !known.has(name) && !headers.includes(name));
      assert.deepEqual(unknown, [], `${type} in ${at || 'the body'}`);
    }
  });
}

/** No field of any API has such a value. */
const odd = { nothing: { of: 'the kind' } };

async function ask(path: string, body: object): Promise<{ status: number; param: string | null }> {
  const { app, model } = scripted({ answer: () => 'x' }, { limits });
  Object.assign(model, { format: toolFormat });
  const response = await app.fetch(post(path, body));
  const text = await response.text();
  const { param, error } = response.ok ? {} : JSON.parse(text);
  return { status: response.status, param: param ?? error?.param ?? null };
}

const fieldsWith = (schema: z.ZodType, fate: Fate, path: string[] = []) =>
  [...fieldsAt(schema, path)].flatMap(([name, its]) => (its === fate ? [name] : []));

for (const [path, schema, body] of apis) {
  test(`${path}: what is refused is refused by its name, and what is ignored is not`, async () => {
    assert.equal((await ask(path, body)).status, 200);
    for (const name of fieldsWith(schema, 'refused')) {
      assert.deepEqual(await ask(path, { ...body, [name]: odd }), { status: 400, param: name });
      assert.equal((await ask(path, { ...body, [name]: null })).status, 200, name);
    }
    for (const name of fieldsWith(schema, 'ignored'))
      assert.equal((await ask(path, { ...body, [name]: odd })).status, 200, name);
  });
}

/** In parts of a body. */
const parts: [path: string, at: string, part: (fields: object) => object][] = [
  ['/v1/responses', 'reasoning', fields => ({ input: 'Hi', reasoning: fields })],
  ['/v1/messages', 'output_config', fields => ({ output_config: fields })],
  ['/v1/messages', 'tools', fields => ({ tools: [{ name: 'a', input_schema: {}, ...fields }] })],
  ['/api/chat', 'options', fields => ({ options: fields })],
];

for (const [path, at, part] of parts) {
  test(`${path}: so in ${at}`, async () => {
    const [, schema, body] = apis.find(([name]) => name === path)!;
    for (const name of fieldsWith(schema, 'refused', [at])) {
      const { status, param } = await ask(path, { ...body, ...part({ [name]: odd }) });
      assert.deepEqual([status, param?.replace('[0]', '')], [400, `${at}.${name}`]);
    }
    for (const name of fieldsWith(schema, 'ignored', [at]))
      assert.equal((await ask(path, { ...body, ...part({ [name]: odd }) })).status, 200, name);
  });
}
