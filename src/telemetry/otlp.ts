/** OpenTelemetry's SDK behind our spans: loaded only where traces are wanted. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type SpanExporter,
  type SpanProcessor,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import packageFile from '../../package.json' with { type: 'json' };
import { genAi } from './gen-ai.ts';
import type { Logger } from './log.ts';
import type { SpanAttributes, TraceSpan, Tracing } from './tracing.ts';

/** Time in which the last spans may be sent. */
const goodbyeMs = 2_000;

/** Traces to a collector, by OTLP over HTTP. Headers, time-outs and certificates are those of OpenTelemetry's variables. */
export function otlpTracing(url: string, sample: number, logger: Logger): Tracing {
  const exporter = reporting(new OTLPTraceExporter({ url }), url, logger);
  return tracingWith(new BatchSpanProcessor({ exporter }), sample);
}

export function tracingWith(processor: SpanProcessor, sample = 1): Tracing {
  const name = { 'service.name': 'realm', 'service.version': packageFile.version };
  const provider = new TracerProvider({
    resource: resourceFromAttributes(name).merge(detectResources({ detectors: [envDetector] })),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(sample) }),
    spanProcessors: [processor],
  });
  const tracer = provider.getTracer('realm', packageFile.version);
  return {
    begin: (name, headers, attributes) => {
      const caller = propagator.extract(ROOT_CONTEXT, headers, getter);
      return new OtlpSpan(tracer, name, SpanKind.SERVER, caller, attributes);
    },
    // A collector that is away must not hold up a server that stops.
    close: () => Promise.race([provider.shutdown(), sleep(goodbyeMs, undefined, { ref: false })]),
  };
}

const propagator = new W3CTraceContextPropagator();
const getter = {
  keys: (headers: Headers) => [...headers.keys()],
  get: (headers: Headers, name: string) => headers.get(name) ?? undefined,
};

class OtlpSpan implements TraceSpan {
  readonly #tracer: Tracer;
  readonly #span: Span;
  readonly #context: Context;
  #ended = false;

  constructor(tracer: Tracer, name: string, kind: SpanKind, parent: Context, attributes: SpanAttributes) {
    this.#tracer = tracer;
    this.#span = tracer.startSpan(name, { kind }, parent);
    this.#context = trace.setSpan(parent, this.#span);
    this.set(attributes);
  }

  child(name: string, attributes: SpanAttributes = {}): TraceSpan {
    return new OtlpSpan(this.#tracer, name, SpanKind.INTERNAL, this.#context, attributes);
  }

  set(attributes: SpanAttributes): void {
    for (const [key, value] of Object.entries(attributes)) {
      if (value !== undefined) this.#span.setAttribute(key, value);
    }
  }

  end(error?: string): void {
    if (this.#ended) return;
    this.#ended = true;
    if (error !== undefined) {
      this.#span.setAttribute(genAi.errorType, error);
      this.#span.setStatus({ code: SpanStatusCode.ERROR });
    }
    this.#span.end();
  }

  get headers(): TraceSpan['headers'] {
    const headers = { traceparent: '' };
    propagator.inject(this.#context, headers, { set: (to, name, value) => Object.assign(to, { [name]: value }) });
    return headers;
  }
}

/** Says in the log when a collector is lost and when it is back; the spans between are lost. */
export function reporting(exporter: SpanExporter, url: string, logger: Logger): SpanExporter {
  let failing = false;
  return Object.assign(Object.create(exporter) as SpanExporter, {
    export: (spans: Parameters<SpanExporter['export']>[0], done: Parameters<SpanExporter['export']>[1]) =>
      exporter.export(spans, result => {
        const failed = result.code !== 0;
        const collector = new URL(url).host;
        if (failed && !failing) logger.log('warn', 'traces not sent', { collector, reason: result.error?.message });
        if (!failed && failing) logger.log('info', 'traces are sent again', { collector });
        failing = failed;
        done(result);
      }),
  });
}
