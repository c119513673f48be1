import { Histogram, type Registry } from 'prom-client';
import { genAi, genAiBuckets, genAiMetrics, labelOf, operationOf, provider } from './gen-ai.ts';
import type { RequestSample } from './request-sample.ts';

const operation = labelOf(genAi.operation);
const providerName = labelOf(genAi.provider);
const requestModel = labelOf(genAi.requestModel);
const tokenType = labelOf(genAi.tokenType);
const errorType = labelOf(genAi.errorType);

/** Requests to models under OpenTelemetry's names, for dashboards that know those; `label` closes the names of models. */
export function genAiRequestMetrics(
  registers: Registry[],
  label: (model: string) => string,
): (sample: RequestSample) => void {
  const shared = [operation, providerName, requestModel];
  const histogram = (name: string, help: string, buckets: number[], ...more: string[]) =>
    new Histogram({ name, help, buckets, labelNames: [...shared, ...more], registers });
  const tokens = histogram(genAiMetrics.tokenUsage, 'Tokens of a request', genAiBuckets.tokens, tokenType);
  const duration = histogram(
    genAiMetrics.duration,
    'From request to last byte, seconds',
    genAiBuckets.duration,
    errorType,
  );
  const first = histogram(
    genAiMetrics.firstToken,
    'From request to first text, seconds, of those that succeeded',
    genAiBuckets.firstToken,
  );
  const each = histogram(
    genAiMetrics.perOutputToken,
    'Mean time between the tokens of a request, seconds, of those that succeeded',
    genAiBuckets.perOutputToken,
  );
  return ({ route, model, code, durationMs, firstTokenMs, promptTokens, completionTokens }) => {
    if (model === undefined) return;
    const labels = {
      [operation]: operationOf(route),
      [providerName]: provider,
      [requestModel]: label(model),
    };
    duration.observe(code === undefined ? labels : { ...labels, [errorType]: code }, durationMs / 1000);
    if (promptTokens > 0) tokens.observe({ ...labels, [tokenType]: 'input' }, promptTokens);
    if (completionTokens > 0) tokens.observe({ ...labels, [tokenType]: 'output' }, completionTokens);
    if (firstTokenMs === undefined || code !== undefined) return;
    first.observe(labels, firstTokenMs / 1000);
    const later = completionTokens - 1;
    if (later > 0) each.observe(labels, (durationMs - firstTokenMs) / 1000 / later);
  };
}
