import type { EngineUsage } from '../../engine/request.ts';
import type { Item } from './items.ts';
import type { ResponsesRequest, ToolChoice } from './request.ts';

export type ResponseStatus = 'in_progress' | 'completed' | 'incomplete' | 'failed' | 'cancelled';

/** What a response says of its request, from the first event to the last. */
export type RequestEcho = ReturnType<typeof echoOf>;

/** Every field that Open Responses asks for is there, whatever the request left out. */
export function echoOf(request: ResponsesRequest) {
  const { text, reasoning, tools = [] } = request;
  return {
    previous_response_id: request.previous_response_id ?? null,
    instructions: request.instructions ?? null,
    tools: tools.map(({ type, name, description = null, parameters = null, strict = null }) => ({
      type,
      name,
      description,
      parameters,
      strict,
    })),
    tool_choice: (request.tool_choice ?? 'auto') as ToolChoice,
    // What does not fit is refused, never cut.
    truncation: 'disabled',
    parallel_tool_calls: (request.parallel_tool_calls ?? true) as boolean,
    text: { ...text, format: formatOf(text?.format) },
    top_p: request.top_p as number | undefined,
    presence_penalty: (request.presence_penalty ?? 0) as number,
    frequency_penalty: (request.frequency_penalty ?? 0) as number,
    top_logprobs: (request.top_logprobs ?? 0) as number,
    temperature: request.temperature as number | undefined,
    reasoning: { effort: reasoning?.effort ?? null, summary: reasoning?.summary ?? null },
    max_output_tokens: (request.max_output_tokens ?? null) as number | null,
    max_tool_calls: request.max_tool_calls ?? null,
    store: request.store ?? true,
    background: false,
    service_tier: 'default',
    metadata: request.metadata ?? {},
    safety_identifier: request.safety_identifier ?? null,
    prompt_cache_key: request.prompt_cache_key ?? null,
    user: request.user ?? null,
  };
}

function formatOf(format: NonNullable<ResponsesRequest['text']>['format']): object {
  if (format?.type !== 'json_schema') return format ?? { type: 'text' };
  const { type, name = 'answer', description = null, schema, strict = false } = format;
  return { type, name, description, schema, strict };
}

export interface ResponseHead {
  readonly id: string;
  /** Seconds since 1970. */
  readonly created_at: number;
  readonly model: string;
  readonly echo: RequestEcho;
  /** Of the model, where a request says nothing. */
  readonly defaults: { readonly temperature: number; readonly top_p: number };
}

export interface ResponseError {
  readonly code: string;
  readonly message: string;
}

export interface ResponseState {
  readonly status: ResponseStatus;
  readonly output: readonly Item[];
  readonly usage?: EngineUsage | undefined;
  readonly completedAt?: number | undefined;
  readonly incomplete?: 'max_output_tokens' | undefined;
  readonly error?: ResponseError | undefined;
}

/** The response object. */
export function responseObject(
  { id, created_at, model, echo, defaults }: ResponseHead,
  { status, output, usage, completedAt, incomplete, error }: ResponseState,
) {
  return {
    id,
    object: 'response' as const,
    created_at,
    completed_at: completedAt ?? null,
    status,
    incomplete_details: incomplete === undefined ? null : { reason: incomplete },
    model,
    ...echo,
    temperature: echo.temperature ?? defaults.temperature,
    top_p: echo.top_p ?? defaults.top_p,
    output,
    error: error === undefined ? null : { code: error.code, message: error.message },
    usage: usage === undefined ? null : usageBody(usage),
  };
}

export type ResponseObject = ReturnType<typeof responseObject>;

/** Tokens of thoughts are not counted apart from the rest. */
export function usageBody({ promptTokens, cachedTokens, completionTokens }: EngineUsage) {
  return {
    input_tokens: promptTokens,
    input_tokens_details: { cached_tokens: cachedTokens },
    output_tokens: completionTokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: promptTokens + completionTokens,
  };
}
