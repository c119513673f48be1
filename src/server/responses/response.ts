import type { Usage } from '../exchange.ts';
import type { ResponsesRequest, ToolChoice } from './request.ts';

export type ResponseStatus = 'in_progress' | 'completed' | 'incomplete' | 'failed' | 'cancelled';

/** What a response says of its request, from the first event to the last: every field that Open Responses asks for. */
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
    truncation: request.truncation ?? 'disabled',
    parallel_tool_calls: (request.parallel_tool_calls ?? true) as boolean,
    text: { ...text, format: formatOf(text?.format) },
    presence_penalty: (request.presence_penalty ?? 0) as number,
    frequency_penalty: (request.frequency_penalty ?? 0) as number,
    top_logprobs: (request.top_logprobs ?? 0) as number,
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
  readonly temperature: number;
  readonly top_p: number;
  /** JSON of {@link echoOf}. It may be long, and is never read here. */
  readonly echo: string;
}

export interface ResponseError {
  readonly code: string;
  readonly message: string;
}

export interface ResponseState {
  readonly status: ResponseStatus;
  readonly usage?: Usage | undefined;
  readonly completedAt?: number | undefined;
  readonly incomplete?: 'max_output_tokens' | undefined;
  readonly error?: ResponseError | undefined;
}

/** JSON of the response object. `output`: JSON of its items. */
export function responseJson({ echo, ...head }: ResponseHead, state: ResponseState, output: readonly string[]): string {
  const { status, usage, completedAt, incomplete, error } = state;
  const own = JSON.stringify({
    object: 'response',
    ...head,
    completed_at: completedAt ?? null,
    status,
    incomplete_details: incomplete === undefined ? null : { reason: incomplete },
    error: error === undefined ? null : { code: error.code, message: error.message },
    usage: usage === undefined ? null : usageBody(usage),
  });
  return `${own.slice(0, -1)},"output":[${output.join(',')}],${echo.slice(1)}`;
}

export function usageBody({ promptTokens, cachedTokens, completionTokens, reasoningTokens = 0 }: Usage) {
  return {
    input_tokens: promptTokens,
    input_tokens_details: { cached_tokens: cachedTokens },
    output_tokens: completionTokens,
    output_tokens_details: { reasoning_tokens: reasoningTokens },
    total_tokens: promptTokens + completionTokens,
  };
}
