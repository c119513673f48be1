import { asRealmError, RealmError } from '../../errors.ts';
import { type ErrorBody, errorBody, reportError } from '../errors.ts';
import { newRequestId } from '../exchange.ts';
import type { Services } from '../services.ts';
import { frames } from '../sockets/frames.ts';
import { type Link, policyViolation, type Talk } from '../sockets/talk.ts';
import { type Chunk, pieceOf, Whole } from './chunks.ts';
import { describedFunctions, version } from './describe.ts';
import type { Call, CallId, CallMessage, Generate } from './message.ts';

/** How long a client may take to say whose it is. */
export const authMs = 10_000;
/** The longest message of a stranger. */
const strangerBytes = 8 << 10;
/** Calls of one connection that may be unanswered. */
const mostCalls = 1024;

type Status = 'streaming' | 'complete' | 'error' | 'cancelled';
type Failure = ErrorBody['error'];

/** Functions called by messages (docs/websocket.md): who it is first, then many calls at once, each known by its id. */
export class CallTalk implements Talk {
  /** Many small ones come in one read. */
  readonly waitingBytes = 1 << 20;
  readonly #link: Link;
  readonly #services: Services;
  readonly #calls = new Map<CallId, AbortController>();
  /** What each request to the app is authorized with; undefined: nobody knows whose the connection is. */
  #authorization: string | undefined;
  #tenant: string | undefined;
  readonly #deadline: NodeJS.Timeout;

  constructor(link: Link, services: Services) {
    this.#link = link;
    this.#services = services;
    this.#deadline = setTimeout(() => this.#refuseEntry(tooLate()).catch(() => link.destroy()), authMs).unref();
    this.#greet(link.authorization).catch(() => link.destroy());
  }

  get unanswered(): number {
    return this.#calls.size;
  }

  closed(): void {
    clearTimeout(this.#deadline);
    for (const call of this.#calls.values()) call.abort();
  }

  async take(message: Buffer): Promise<void> {
    const known = this.#tenant !== undefined;
    if (!known && message.length > strangerBytes) return this.#refuseEntry(keyFirst());
    const said = await this.#read(message).catch(asRealmError);
    if (said instanceof RealmError) return known ? this.#fail(null, failureOf(said)) : this.#refuseEntry(keyFirst());
    if (said.kind === 'auth') return this.#enter(`Bearer ${said.key}`);
    if (!known) return this.#refuseEntry(keyFirst());
    if (said.kind === 'wrong') return this.#fail(said.id, invalid(said.message, said.param));
    if (said.tenant !== undefined && said.tenant !== this.#tenant)
      return this.#fail(said.id, failureOf(otherTenant(said.tenant)));
    if (said.kind === 'cancel') return this.#cancel(said.id);
    await this.#begin(said);
  }

  /** The first word is the server's: who it takes the client for, or that it wants to know. */
  async #greet(authorization: string | undefined): Promise<void> {
    try {
      this.#admit(authorization);
    } catch (error) {
      if (authorization !== undefined) return this.#refuseEntry(asRealmError(error));
      return this.#link.send(JSON.stringify({ type: 'auth_required', timeout_ms: authMs }));
    }
    await this.#welcome();
  }

  async #enter(authorization: string): Promise<void> {
    try {
      this.#admit(authorization);
    } catch (error) {
      return this.#refuseEntry(asRealmError(error));
    }
    await this.#welcome();
  }

  /** Every call asks again: a key that was taken back opens nothing. */
  #admit(authorization: string | undefined): void {
    const { id } = this.#services.authenticate(authorization, this.#link.remoteAddress).tenant;
    this.#link.belongTo(id);
    this.#authorization = authorization;
    this.#tenant = id;
    clearTimeout(this.#deadline);
  }

  #welcome(): Promise<void> {
    return this.#link.send(JSON.stringify({ type: 'auth_success', tenant_id: this.#tenant }));
  }

  async #refuseEntry(error: RealmError): Promise<void> {
    clearTimeout(this.#deadline);
    await this.#link.send(JSON.stringify({ type: 'auth_failed', error: failureOf(error) }));
    this.#link.close(policyViolation, error.code);
  }

  async #read(message: Buffer): Promise<CallMessage> {
    const { text, limits } = this.#services;
    const call = { owner: { id: this.#tenant ?? '' }, signal: this.#link.gone };
    return (await text.run('body', call, {
      form: 'callMessage',
      bytes: new Uint8Array(message),
      limits,
    })) as CallMessage;
  }

  async #begin(said: Call): Promise<void> {
    const { id } = said;
    if (this.#calls.has(id)) {
      // Under the id itself it would be taken for the end of the call that has it.
      const message = `id: ${JSON.stringify(id)} is that of a call that has not ended; use another`;
      return this.#fail(null, invalid(message, 'id'));
    }
    if (this.#calls.size >= mostCalls) return this.#fail(id, failureOf(tooManyCalls()));
    const call = new AbortController();
    this.#calls.set(id, call);
    this.#run(said, call.signal)
      .catch(error => this.#end(id, call.signal, this.#unforeseen(error)))
      .catch(() => this.#link.destroy())
      .finally(() => {
        this.#calls.delete(id);
        this.#link.rest();
      });
  }

  async #run(said: Call, signal: AbortSignal): Promise<void> {
    const { id } = said;
    if (said.kind === 'generate') return this.#generate(id, said.generate, signal);
    if (said.kind === 'pipeline') return this.#runPipeline(id, said.generate, signal);
    const path = said.kind === 'health' ? '/health' : '/v1/models';
    const answer = await this.#ask('GET', path, signal);
    const body = await answer.json();
    if (!answer.ok) return this.#end(id, signal, body.error);
    const data = said.kind === 'health' ? body : { functions: describedFunctions, models: body.data };
    await this.#say(id, 'complete', { data: { version, ...data } });
  }

  async #generate(id: CallId, { path, body, stream }: Generate, signal: AbortSignal): Promise<void> {
    const answer = await this.#ask('POST', path, signal, body);
    if (!answer.ok) return this.#end(id, signal, (await answer.json()).error);
    const whole = new Whole();
    let index = 0;
    for await (const data of frames(answer)) {
      if (data === undefined) {
        this.#link.ping();
        continue;
      }
      const chunk: Chunk = JSON.parse(data);
      if (chunk.error) return this.#end(id, signal, chunk.error as Failure);
      whole.add(chunk);
      for (const choice of stream ? chunk.choices : []) {
        const piece = pieceOf(choice);
        if (piece) await this.#say(id, 'streaming', { data: { index: index++, ...piece } });
      }
    }
    await this.#say(id, 'complete', { data: whole.done(answer.headers.get('x-request-id')) });
  }

  /** The run's events as they come but for the last, which is the answer. */
  async #runPipeline(id: CallId, { path, body, stream }: Generate, signal: AbortSignal): Promise<void> {
    const answer = await this.#ask('POST', path, signal, body);
    if (!answer.ok) return this.#end(id, signal, (await answer.json()).error);
    const started = performance.now();
    let index = 0;
    for await (const data of frames(answer)) {
      if (data === undefined) {
        this.#link.ping();
        continue;
      }
      const { type, ...event } = JSON.parse(data);
      if (type === 'error') return this.#end(id, signal, event.error);
      if (type === 'result') {
        const time_ms = Math.round(performance.now() - started);
        const request_id = answer.headers.get('x-request-id');
        return this.#say(id, 'complete', { data: { ...event, time_ms, request_id } });
      }
      if (stream) await this.#say(id, 'streaming', { data: { index: index++, type, ...event } });
    }
  }

  #ask(method: 'GET' | 'POST', path: string, signal: AbortSignal, body?: Uint8Array<ArrayBuffer>): Promise<Response> {
    const authorization = this.#authorization;
    return this.#link.fetch(method, path, { signal, authorization, ...(body && { body }) });
  }

  async #cancel(id: CallId): Promise<void> {
    const call = this.#calls.get(id);
    if (call) call.abort();
    else await this.#fail(id, failureOf(new RealmError('request_not_found', 'No call of this id is being answered')));
  }

  /** It goes no further: what was cancelled failed for that reason. */
  async #end(id: CallId, { aborted }: AbortSignal, error: Failure): Promise<void> {
    if (aborted || error.code === 'request_cancelled') await this.#say(id, 'cancelled');
    else await this.#fail(id, error);
  }

  #fail(id: CallId | null, { code, message, param }: Failure): Promise<void> {
    return this.#say(id, 'error', { error: { code, message, param } });
  }

  #say(id: CallId | null, status: Status, rest: { data?: object; error?: object } = {}): Promise<void> {
    return this.#link.send(JSON.stringify({ id, status, ...rest }));
  }

  #unforeseen(thrown: unknown): Failure {
    const error = asRealmError(thrown);
    const id = newRequestId();
    reportError(this.#services, { id }, error);
    return errorBody(error, id).error;
  }
}

const failureOf = (error: RealmError): Failure => errorBody(error, '').error;

const invalid = (message: string, param: string) =>
  failureOf(new RealmError('invalid_request', message, { param: param || undefined }));

const tooLate = () =>
  new RealmError('invalid_api_key', `No key came within ${authMs / 1000} s: send {"type": "auth", "api_key": "…"}`);

const keyFirst = () => new RealmError('invalid_api_key', 'The first message must be {"type": "auth", "api_key": "…"}');

const otherTenant = (tenant: string) =>
  new RealmError('permission_denied', `tenant_id: the key is not one of ${JSON.stringify(tenant)}'s; leave it out`, {
    param: 'tenant_id',
  });

const tooManyCalls = () =>
  new RealmError('queue_full', `This connection has ${mostCalls} calls that have not ended; wait for some of them`);
