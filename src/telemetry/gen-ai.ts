/**
 * The names that OpenTelemetry gives to what generates text, all of them: its conventions for it are still in
 * development. https://opentelemetry.io/docs/specs/semconv/gen-ai/
 */

/** Attributes of spans; labels of metrics are the same with underscores. */
export const genAi = {
  operation: 'gen_ai.operation.name',
  provider: 'gen_ai.provider.name',
  requestModel: 'gen_ai.request.model',
  responseModel: 'gen_ai.response.model',
  maxTokens: 'gen_ai.request.max_tokens',
  inputTokens: 'gen_ai.usage.input_tokens',
  cachedTokens: 'gen_ai.usage.cache_read.input_tokens',
  outputTokens: 'gen_ai.usage.output_tokens',
  finishReasons: 'gen_ai.response.finish_reasons',
  tokenType: 'gen_ai.token.type',
  errorType: 'error.type',
} as const;

export const genAiMetrics = {
  tokenUsage: 'gen_ai_client_token_usage',
  duration: 'gen_ai_server_request_duration',
  firstToken: 'gen_ai_server_time_to_first_token',
  perOutputToken: 'gen_ai_server_time_per_output_token',
} as const;

/** The bounds that the conventions advise. */
export const genAiBuckets = {
  tokens: [1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576],
  duration: [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92],
  firstToken: [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
  perOutputToken: [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5],
};

export const provider = 'realm';

export type Operation = 'chat' | 'text_completion' | 'embeddings';

/** What a route does with a model. */
export function operationOf(route: string): Operation {
  if (/embed|rerank/.test(route)) return 'embeddings';
  return /^\/v1\/completions$|^\/api\/generate$/.test(route) ? 'text_completion' : 'chat';
}

/** An attribute's name as that of a label. */
export function labelOf(name: string): string {
  return name.replaceAll('.', '_');
}
