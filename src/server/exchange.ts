import { randomBytes } from 'node:crypto';
import type { EngineUsage } from '../engine/request.ts';
import { type ErrorCode, errorCodes, RealmError } from '../errors.ts';
import { noUsage } from '../llm/usage.ts';
import type { CallOwner } from '../metering/meter.ts';
import type { Admission } from '../rates/rates.ts';
import type { ModelId } from '../sandbox/model-id.ts';
import type { Logger } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { TraceSpan, Tracing } from '../telemetry/tracing.ts';
import type { MeteredModel } from './metered-model.ts';

/** What an answer took, in tokens. */
export interface Usage extends EngineUsage {
  /** Of the answer's tokens those of thoughts. */
  readonly reasoningTokens?: number | undefined;
}

export const newRequestId = () => `req_${randomBytes(12).toString('hex')}`;

/** Where exchanges are counted and reported: the part of the services that they need. */
export interface ExchangeBook {
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Absent: nobody wants traces. */
  readonly tracing?: Tracing | undefined;
  readonly state: { readonly open: Set<Exchange> };
}

/** What an answer needs of the request that it is made for: an exchange, or a part of one. */
export type Asking = Pick<
  Exchange,
  | 'id'
  | 'model'
  | 'session'
  | 'usage'
  | 'span'
  | 'held'
  | 'signal'
  | 'cancel'
  | 'nextCall'
  | 'noteSubmitted'
  | 'onEnd'
  | 'keyId'
  | 'programUsed'
  | 'token'
>;

/** One request and its answer, from the first header to the last byte: its id, its cancellation, its log line. */
export class Exchange {
  /** Made here and never taken from the client, so that it is unique. */
  readonly id = newRequestId();
  /** What the client calls it. */
  readonly clientId: string | undefined;
  /** Seconds since 1970. */
  readonly created = Math.floor(Date.now() / 1000);
  readonly method: string;
  readonly path: string;
  route = 'unknown';
  tenant: string | undefined;
  /** The public id of the key that was used. */
  keyId: string | undefined;
  model: string | undefined;
  /** What it has of its tenant's rates. */
  admission: Admission | undefined;
  code: ErrorCode | undefined;
  /** Of the request in a trace, where traces are wanted. */
  span: TraceSpan | undefined;
  /** What the answer says of the session that it saved. */
  session: object | undefined;
  /** What the request has cost until now. */
  usage: () => Usage = () => noUsage;
  /** Models that stay loaded until it ends. */
  readonly held = new Map<ModelId, MeteredModel>();
  /** The body outlives the handler; whoever writes it calls finish. */
  streaming = false;
  /** It ends when its client leaves: a server that stops does not wait for that. */
  endless = false;
  /** Nobody wants to read of it. */
  quiet = false;
  #calls = 0;
  /** Of its tenant's program, over all choices. */
  #fuel = 0;
  readonly #counted = new Set<string>();
  #firstTokenMs: number | undefined;
  #finished = false;
  readonly #atEnd: (() => void)[] = [];
  readonly #started = performance.now();
  readonly #abort = new AbortController();
  readonly #submitted = Promise.withResolvers<void>();
  readonly #book: ExchangeBook;
  /** The client's going away, as the listener tells it. */
  readonly #connection: AbortSignal;
  readonly #gone = () => this.cancel(new RealmError('request_cancelled', 'The client closed the connection'));

  constructor(book: ExchangeBook, request: Request) {
    this.#book = book;
    this.method = request.method;
    this.path = new URL(request.url).pathname;
    this.clientId = request.headers.get('x-client-request-id') ?? undefined;
    book.state.open.add(this);
    this.#connection = request.signal;
    if (this.#connection.aborted) this.#gone();
    else this.#connection.addEventListener('abort', this.#gone, { once: true });
  }

  /** Aborted when the client goes away or the server must stop; the reason is a RealmError. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  cancel(reason: RealmError): void {
    this.#abort.abort(reason);
  }

  /** Begins its span; `headers` name the caller's. */
  trace(headers: Headers): void {
    this.span = this.#book.tracing?.begin(`${this.method} ${this.route}`, headers, {
      'http.request.method': this.method,
      'http.route': this.route,
      'realm.request_id': this.id,
    });
  }

  /** Resolves when an engine has got the request for the first time. */
  get submitted(): Promise<void> {
    return this.#submitted.promise;
  }

  noteSubmitted(): void {
    this.#submitted.resolve();
  }

  /** Whose the next call to an engine is. */
  nextCall(): CallOwner {
    return {
      tenant: this.tenant ?? '',
      keyId: this.keyId,
      requestId: this.id,
      call: this.#calls++,
      counted: this.#counted,
    };
  }

  /** Calls when it has ended, however that was; now if it has. */
  onEnd(then: () => void): void {
    if (this.#finished) then();
    else this.#atEnd.push(then);
  }

  /** Notes the first token's time; later calls do nothing. */
  token(): void {
    if (this.#firstTokenMs !== undefined) return;
    this.#firstTokenMs = performance.now() - this.#started;
    if (this.tenant !== undefined) this.#book.metrics.live.firstToken(this.tenant, this.#firstTokenMs);
  }

  /** A run of its tenant's program is over; that may be after its own end, as when it was cancelled: then it has a line of its own. */
  programUsed(fuel: number): void {
    if (fuel === 0) return;
    this.#fuel += fuel;
    if (this.tenant !== undefined) this.#book.metrics.fuel(this.tenant, fuel);
    if (!this.#finished) return;
    const { id: request_id, tenant, keyId: key_id } = this;
    this.#book.logger.log(this.quiet ? 'debug' : 'info', 'program ended', { request_id, tenant, key_id, fuel });
  }

  get hasBegun(): boolean {
    return this.#firstTokenMs !== undefined;
  }

  /** The one end of every request: it counts as closed, is logged and measured. */
  finish(status: number): void {
    if (this.#finished) return;
    this.#finished = true;
    // The runtime keeps a request's signal until it has collected the request, which what listens here leads back to:
    // a listener that stays keeps all of them for ever.
    this.#connection.removeEventListener('abort', this.#gone);
    this.#book.state.open.delete(this);
    this.admission?.release();
    for (const then of this.#atEnd) then();
    this.held.clear();
    const durationMs = performance.now() - this.#started;
    const { route, model, tenant, code } = this;
    const usage = this.usage();
    const firstTokenMs = this.#firstTokenMs;
    this.#book.metrics.request({ route, status, tenant, code, model, durationMs, firstTokenMs, ...usage });
    this.#log(status, durationMs, usage);
    if (this.span) this.#endSpan(this.span, status);
  }

  #endSpan(span: TraceSpan, status: number): void {
    span.set({
      'http.response.status_code': status,
      'realm.tenant': this.tenant,
      'realm.key_id': this.keyId,
      'realm.code': this.code,
    });
    // What the client did wrong is no error of the server's.
    span.end(status < 500 ? undefined : (this.code ?? String(status)));
  }

  /** The end of a body that was streamed under status 200: what went wrong later counts as what it was. */
  finishStream(): void {
    if (this.signal.aborted) this.code ??= (this.signal.reason as RealmError).code;
    this.finish(this.code === undefined ? 200 : errorCodes[this.code]);
  }

  /** The server is starting or stopping: whoever asks is told so, and nothing is wrong. */
  get #isUnready(): boolean {
    return this.code === 'not_ready' || this.code === 'shutting_down';
  }

  #log(status: number, durationMs: number, usage: EngineUsage): void {
    const failed = status >= 500 && !this.#isUnready;
    const level = this.quiet ? 'debug' : 'info';
    this.#book.logger.log(failed ? 'error' : level, 'request', {
      request_id: this.id,
      tenant: this.tenant,
      key_id: this.keyId,
      method: this.method,
      path: this.path.slice(0, 200),
      status,
      code: this.code,
      model: this.model,
      ms: Math.round(durationMs),
      first_token_ms: this.#firstTokenMs === undefined ? undefined : Math.round(this.#firstTokenMs),
      prompt_tokens: usage.promptTokens || undefined,
      completion_tokens: usage.completionTokens || undefined,
      fuel: this.#fuel || undefined,
    });
  }
}
