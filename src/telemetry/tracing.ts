/** Never text of prompts or answers, never keys. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean | string[] | undefined>>;

/** Something that takes its time, in a trace. */
export interface TraceSpan {
  /** A part of it, which begins now. */
  child(name: string, attributes?: SpanAttributes): TraceSpan;
  set(attributes: SpanAttributes): void;
  /** `error`: the code of what it failed with. Later calls do nothing. */
  end(error?: string): void;
  /** For whoever is asked on its behalf: W3C's `traceparent`, and `tracestate` where there is one. */
  readonly headers: { readonly traceparent: string; readonly tracestate?: string };
}

/** Where requests' spans go. */
export interface Tracing {
  /** A request's span, in the trace that its headers name. */
  begin(name: string, headers: Headers, attributes: SpanAttributes): TraceSpan;
  /** Sends what has not been sent. */
  close(): Promise<void>;
}
