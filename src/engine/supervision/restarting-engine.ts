import { pageTokens } from '../../backend/backend.ts';
import { asRealmError, RealmError } from '../../errors.ts';
import type { Token } from '../../tokenizer/types.ts';
import type { SessionInfo, SessionRequest } from '../cache/sessions.ts';
import type { EngineEvent, GenerateRequest } from '../request.ts';
import type { CircuitState, Engine, EngineHealth, EngineInfo, EngineStats } from '../types.ts';
import { BackOff } from './back-off.ts';
import { Circuit } from './circuit.ts';
import { type Engines, RestartedStream } from './restarted-stream.ts';

/** What an engine that is opened again has to have as the first one had it. */
export interface EngineSize {
  readonly context: number;
  readonly kvTokens: number;
}

export type OpenEngine = (as?: EngineSize) => Promise<Engine>;

/** What becomes of an engine, for the log. */
export type SupervisionEvent =
  | { readonly kind: 'died'; readonly error: RealmError }
  | { readonly kind: 'restarted'; readonly ms: number }
  | { readonly kind: 'not restarted'; readonly error: RealmError }
  | { readonly kind: 'adapter lost'; readonly adapter: string; readonly error: RealmError }
  | { readonly kind: 'circuit'; readonly state: CircuitState };

export interface SupervisionOptions {
  readonly onEvent?: (event: SupervisionEvent) => void;
  readonly backOff?: BackOff;
  /** How long the circuit stays open. Default 10 s. */
  readonly openMs?: number | undefined;
}

/**
 * An engine that is opened again when it dies, with the same adapters: `ended` is aborted only when it is closed. Requests
 * that had no event yet are run again once, see RestartedStream; calls and new requests are refused meanwhile.
 */
export class RestartingEngine implements Engine {
  /** Of the engine that runs, or ran last: the next one may be on another device. */
  info: EngineInfo;
  readonly #open: () => Promise<Engine>;
  readonly #onEvent: (event: SupervisionEvent) => void;
  readonly #backOff: BackOff;
  readonly #circuit: Circuit;
  readonly #engines: Engines;
  /** Paths by names. */
  readonly #adapters = new Map<string, string>();
  readonly #ended = new AbortController();
  readonly #closing = new AbortController();
  /** Absent: none runs. */
  #engine: Engine | undefined;
  #since = performance.now();
  /** The last one that died, until its thread is gone. */
  #dying: Engine | undefined;
  #next = nextEngine();
  /** When it should be there. */
  #nextAt = 0;
  #restarting: Promise<void> | undefined;
  #restarts = 0;

  /** Opens the first engine; throws why it cannot. */
  static async start(open: OpenEngine, options: SupervisionOptions = {}): Promise<RestartingEngine> {
    const first = await open();
    const { pagesTotal } = await first.stats();
    const size = { context: first.info.context, kvTokens: pagesTotal * pageTokens };
    return new RestartingEngine(first, () => open(size), options);
  }

  private constructor(first: Engine, open: () => Promise<Engine>, options: SupervisionOptions) {
    const { onEvent = () => {}, backOff = new BackOff(), openMs } = options;
    this.info = first.info;
    this.#open = open;
    this.#onEvent = onEvent;
    this.#backOff = backOff;
    this.#circuit = new Circuit({ openMs, onChange: state => onEvent({ kind: 'circuit', state }) });
    this.#engines = {
      circuit: this.#circuit,
      current: () => this.#current(),
      after: dead => (this.#engine && this.#engine !== dead ? Promise.resolve(this.#engine) : this.#next.promise),
    };
    this.#use(first);
  }

  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  submit(request: GenerateRequest, signal?: AbortSignal): AsyncIterable<EngineEvent> {
    return new RestartedStream(this.#engines, request, signal);
  }

  async stats(): Promise<EngineStats> {
    return { ...(await this.#current().stats()), restarts: this.#restarts };
  }

  health(): EngineHealth {
    const { brownOut = 0 } = this.#engine?.health?.() ?? {};
    return { state: this.#state, restarts: this.#restarts, circuit: this.#circuit.state, brownOut };
  }

  get #state(): EngineHealth['state'] {
    if (this.ended.aborted) return 'ended';
    if (this.#engine) return 'running';
    return this.#dying?.health?.().state === 'stuck' ? 'stuck' : 'restarting';
  }

  async loadAdapter(name: string, path: string): Promise<void> {
    await this.#current().loadAdapter(name, path);
    this.#adapters.set(name, path);
  }

  async unloadAdapter(name: string): Promise<void> {
    const known = this.#adapters.delete(name);
    const engine = this.#engine;
    if (!engine && known) return;
    await this.#current()
      .unloadAdapter(name)
      .catch(error => {
        // It went with its engine.
        if (!(known && engine?.ended.aborted)) throw error;
      });
  }

  async saveSession(request: SessionRequest, tokens: readonly Token[]): Promise<SessionInfo> {
    return this.#current().saveSession(request, tokens);
  }

  async restoreSession(request: SessionRequest): Promise<SessionInfo> {
    return this.#current().restoreSession(request);
  }

  async close(): Promise<void> {
    const error = new RealmError('shutting_down', 'the engine was closed');
    this.#closing.abort(error);
    this.#next.reject(error);
    await this.#restarting;
    await this.#engine?.close();
    this.#ended.abort(error);
  }

  #current(): Engine {
    this.#closing.signal.throwIfAborted();
    if (this.#engine) return this.#engine;
    const left = Math.ceil((this.#nextAt - performance.now()) / 1000);
    const message = 'the model failed and is being loaded again';
    throw new RealmError('engine_unavailable', message, { retryAfter: Math.min(60, Math.max(1, left)) });
  }

  #use(engine: Engine): void {
    this.#engine = engine;
    this.info = engine.info;
    this.#since = performance.now();
    const died = (): void => {
      if (!this.#closing.signal.aborted) this.#restarting = this.#restart(engine);
    };
    engine.ended.addEventListener('abort', died, { once: true });
    if (engine.ended.aborted) died();
  }

  async #restart(dead: Engine): Promise<void> {
    const livedMs = performance.now() - this.#since;
    this.#engine = undefined;
    this.#next = nextEngine();
    this.#failed({ kind: 'died', error: dead.ended.reason });
    // Its memory is wanted for the next one.
    this.#dying = dead;
    await dead.close().catch(() => {});
    this.#dying = undefined;
    for (let waitMs = this.#backOff.next(livedMs); await this.#pause(waitMs); waitMs = this.#backOff.next(0)) {
      const started = performance.now();
      try {
        const engine = await this.#openAgain();
        this.#restarts++;
        this.#onEvent({ kind: 'restarted', ms: Math.round(performance.now() - started) });
        const waiting = this.#next;
        this.#use(engine);
        return waiting.resolve(engine);
      } catch (error) {
        // Nobody waits for more than one try.
        this.#next.reject(error);
        this.#next = nextEngine();
        this.#failed({ kind: 'not restarted', error: asRealmError(error) });
      }
    }
  }

  #failed(event: SupervisionEvent): void {
    this.#circuit.fail();
    this.#onEvent(event);
  }

  /** False: it was closed meanwhile. */
  #pause(ms: number): Promise<boolean> {
    const { signal } = this.#closing;
    this.#nextAt = performance.now() + ms + this.info.loadMs;
    return new Promise(resolve => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve(!signal.aborted);
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener('abort', done);
      if (signal.aborted) done();
    });
  }

  async #openAgain(): Promise<Engine> {
    const engine = await this.#open();
    for (const [name, path] of this.#adapters) {
      await engine.loadAdapter(name, path).catch(async error => {
        if (engine.ended.aborted) {
          await engine.close();
          throw engine.ended.reason;
        }
        // The file is gone, or no adapter any more.
        this.#adapters.delete(name);
        this.#onEvent({ kind: 'adapter lost', adapter: name, error: asRealmError(error) });
      });
    }
    return engine;
  }
}

/** What requests wait for that have lost their engine. */
function nextEngine(): PromiseWithResolvers<Engine> {
  const next = Promise.withResolvers<Engine>();
  next.promise.catch(() => {});
  return next;
}
