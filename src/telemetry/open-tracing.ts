import type { Logger } from './log.ts';
import type { Tracing } from './tracing.ts';

export interface TracingOptions {
  /** The collector's address, to which `/v1/traces` is added. */
  readonly otlp?: string | undefined;
  /** The share of traces that begin here and are sent. */
  readonly sample: number;
}

/**
 * Traces for OpenTelemetry's collectors, where the configuration or the environment names one. Nowhere else is any of it
 * loaded: without tracing there are no spans.
 */
export async function openTracing(
  { otlp, sample }: TracingOptions,
  logger: Logger,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<Tracing | undefined> {
  const base = otlp ?? (env.OTEL_SDK_DISABLED === 'true' ? undefined : env.OTEL_EXPORTER_OTLP_ENDPOINT);
  if (!base) return undefined;
  const { otlpTracing } = await import('./otlp.ts');
  return otlpTracing(tracesUrl(base), sample, logger);
}

/** As OpenTelemetry has it: the address is that of all signals. */
export function tracesUrl(base: string): string {
  const plain = base.replace(/\/+$/, '');
  return plain.endsWith('/v1/traces') ? plain : `${plain}/v1/traces`;
}
