/** Services whose model answers from a script: the contracts of engine and sandbox without weights or workers. */
import { readFile, writeFile } from 'node:fs/promises';
import { setImmediate as turn } from 'node:timers/promises';
import { checkRequest } from '../../src/engine/admission.ts';
import type { EngineEvent, FinishReason, GenerateRequest, TokenLogprob } from '../../src/engine/request.ts';
import { resolveSampling } from '../../src/engine/sampling/sampling.ts';
import type { Engine, EngineInfo } from '../../src/engine/types.ts';
import { RealmError } from '../../src/errors.ts';
import { withDefaults } from '../../src/llm/generate.ts';
import type { LoadedModel } from '../../src/llm/load.ts';
import { SessionStore } from '../../src/llm/sessions.ts';
import { StopStrings } from '../../src/llm/stop-strings.ts';
import type { GenerateText, TextLogprob } from '../../src/llm/types.ts';
import { unmetered } from '../../src/metering/meter.ts';
import { LocalRates } from '../../src/rates/book.ts';
import { Rates } from '../../src/rates/rates.ts';
import { Channel } from '../../src/sandbox/channel.ts';
import type { ModelId } from '../../src/sandbox/model-id.ts';
import type { Program, ProgramCall, ProgramHost, Sandbox } from '../../src/sandbox/types.ts';
import { AdapterRegistry } from '../../src/server/adapters.ts';
import { createApp } from '../../src/server/app.ts';
import { keepsNoAnswers } from '../../src/server/kept-answers.ts';
import { type MeteredModel, metered } from '../../src/server/metered-model.ts';
import { ModelRegistry } from '../../src/server/model-registry.ts';
import { PipelineBook } from '../../src/server/pipelines/book.ts';
import { keepsNoSequences } from '../../src/server/program-host/saved-sequences.ts';
import { ResponseBook } from '../../src/server/responses/book.ts';
import { MemoryResponseStore } from '../../src/server/responses/store.ts';
import type { Services } from '../../src/server/services.ts';
import { TextService } from '../../src/server/text/service.ts';
import { ToolBook } from '../../src/server/tools/book.ts';
import { watched } from '../../src/telemetry/live.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { LogFilter } from '../../src/telemetry/log-filter.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { defaultConfig } from '../../src/tenancy/config.ts';
import { Directory } from '../../src/tenancy/directory.ts';
import type { Token, Tokenizer } from '../../src/tokenizer/types.ts';
import { first } from '../support/entries.ts';

/** One token a character: a code point below 256 is its own id. 0 begins a text, 1 ends it. */
export const tokenizer: Tokenizer = {
  vocabSize: 256,
  bos: 0 as Token,
  eos: 1 as Token,
  endOfGeneration: new Set([1 as Token]),
  controlTexts: [],
  encode: (text, options = {}) => {
    const ids = [...text].map(c => c.codePointAt(0)! as Token);
    return options.addSpecial === false ? ids : [0 as Token, ...ids];
  },
  // biome-ignore lint/correctness/useYield: it has no steps
  *encodeInSteps(text, options) {
    return this.encode(text, options);
  },
  decode: (tokens, options) => tokens.map(id => (id > 1 || options?.special ? String.fromCodePoint(id) : '')).join(''),
  bytes: token => new Uint8Array([token]),
  text: token => String.fromCodePoint(token),
  stream: () => ({ push: token => String.fromCodePoint(token), end: () => '' }),
};

const info: EngineInfo = {
  architecture: 'scripted',
  vocabSize: 256,
  context: 200,
  trainedContext: 400,
  contextFrom: 'configuration',
  width: 8,
  backend: 'script',
  fileSize: 1000,
  loadMs: 1,
};

/** What the scripted model does with a request. */
export interface Script {
  /** The whole answer; one token a character. */
  answer(request: GenerateRequest): string;
  /** Thrown after so many tokens. */
  failAfter?: { tokens: number; error: Error };
  /** Waits between tokens; default a turn of the event loop. */
  pause?(): Promise<unknown>;
  /** Default 200. */
  context?: number;
}

export class ScriptedModel implements LoadedModel {
  readonly id: string;
  readonly created = 1_700_000_000;
  readonly tokenizer = tokenizer;
  readonly template: LoadedModel['template'] = {
    name: 'file',
    source: '',
    habits: { content: 'text', system: 'own' },
    render: messages => `${messages.map(({ role, content }) => `[${role}]${content}`).join('')}[assistant]`,
  };
  readonly defaults: LoadedModel['defaults'];
  readonly format: LoadedModel['format'] = {};
  readonly requests: GenerateRequest[] = [];
  readonly embedded: GenerateRequest[] = [];
  /** Most texts that were being embedded at once. */
  atOnce = 0;
  /** Paths of adapters. */
  readonly adapters = new Map<string, string>();
  /** Paths of sessions that were restored. */
  readonly restored: string[] = [];
  running = 0;
  generated = 0;
  readonly generate: GenerateText;
  readonly engine: Engine;

  constructor(id: string, script: Script, defaults: LoadedModel['defaults'] = {}) {
    this.id = id;
    this.defaults = defaults;
    this.generate = (request, signal) => this.#generate(script, withDefaults(request, defaults.sampling), signal);
    this.engine = {
      info: { ...info, context: script.context ?? info.context },
      ended: new AbortController().signal,
      submit: (request, signal) => this.#embed(script, request, signal),
      stats: async () => ({
        running: this.running,
        waiting: 0,
        pagesTotal: 10,
        pagesUsed: this.running,
        pagesCached: 0,
        promptTokens: 0,
        completionTokens: this.generated,
        draftedTokens: 0,
        acceptedTokens: 0,
        steps: this.generated,
        preemptedSteps: 0,
        memory: { weights: 1, kvCache: 2, work: 3, kvTouched: 1 },
      }),
      loadAdapter: async (name, path) => {
        if (path.endsWith('broken.gguf')) throw new RealmError('adapter_invalid', 'the adapter cannot be used');
        this.adapters.set(name, path);
      },
      unloadAdapter: async name => {
        this.adapters.delete(name);
      },
      saveSession: async (request, tokens) => {
        if (request.path.endsWith('full.session')) throw new RealmError('session_failed', 'the disk is full');
        await writeFile(request.path, JSON.stringify({ tenant: request.tenant, tokens }));
        return { tokens: tokens.length, computed: 32 * Math.floor(tokens.length / 32), bytes: 100 };
      },
      restoreSession: async ({ tenant, path }) => {
        const text = await readFile(path, 'utf8').catch(() => undefined);
        if (text === undefined) throw new RealmError('session_not_found', 'there is no such session');
        const saved = JSON.parse(text);
        if (saved.tenant !== tenant) throw new RealmError('session_mismatch', 'the session belongs to another tenant');
        this.restored.push(path);
        return { tokens: saved.tokens.length, computed: 0 };
      },
      close: async () => {},
    };
  }

  /** An embedding tells the text's length and its first token. */
  async *#embed(script: Script, request: GenerateRequest, signal?: AbortSignal): AsyncGenerator<EngineEvent> {
    if (!request.embed) throw new Error('texts go through generate');
    this.embedded.push(request);
    this.atOnce = Math.max(this.atOnce, ++this.running);
    await (script.pause ?? turn)();
    this.running--;
    const { prompt: tokens } = request;
    const usage = { promptTokens: tokens.length, cachedTokens: 0, completionTokens: 0 };
    if (signal?.aborted) yield { kind: 'end', reason: 'cancelled', usage };
    else if (tokens.includes(9 as Token)) yield { kind: 'error', code: 'engine_failed', message: 'a nine' };
    else
      yield {
        kind: 'end',
        reason: 'stop',
        usage,
        embedding: Float32Array.of(tokens.length, first(tokens), 0.1, 0, 0, 0, 0, 0),
      };
  }

  async *#generate(script: Script, request: GenerateRequest, signal?: AbortSignal): ReturnType<GenerateText> {
    const { context } = this.engine.info;
    checkRequest(request, info.vocabSize, context);
    resolveSampling(request.sampling, info.vocabSize, 0);
    this.requests.push(request);
    this.running++;
    let count = 0;
    let offset = 0;
    const answered: Token[] = [];
    let reason: FinishReason = 'stop';
    const stops = new StopStrings(request.stop ?? []);
    const limit = Math.min(request.maxTokens ?? context, context - request.prompt.length);
    try {
      if (request.promptLogprobs !== undefined)
        yield { kind: 'text', text: '', logprobs: promptLogprobs(request), ofPrompt: true };
      for (const char of script.answer(request)) {
        await (script.pause ?? turn)();
        if (signal?.aborted) reason = 'cancelled';
        else if (count === limit) reason = 'length';
        if (reason !== 'stop') break;
        if (script.failAfter?.tokens === count) throw script.failAfter.error;
        count++;
        this.generated++;
        const token = char.codePointAt(0)! as Token;
        answered.push(token);
        const text = stops.push(char);
        const one = { token: char, bytes: [...Buffer.from(char)], logprob: -0.5 };
        const top = Array.from({ length: request.topLogprobs ?? 0 }, () => one);
        const wanted = request.topLogprobs !== undefined;
        yield {
          kind: 'text',
          text,
          logprobs: wanted ? [{ ...one, offset: offset++, top }] : [],
          logprob: wanted ? rawLogprob(request, token) : undefined,
        };
        if (stops.stopped) break;
      }
      const held = stops.end();
      if (held !== '') yield { kind: 'text', text: held, logprobs: [] };
      const usage = { promptTokens: request.prompt.length, cachedTokens: 2, completionTokens: count };
      const tokens = [...request.prompt, ...answered];
      // The last token, and how many there are.
      const logits = request.logits ? Float32Array.of(tokens.at(-1)!, tokens.length) : undefined;
      yield { kind: 'end', reason, usage, tokens, stopString: stops.found, ...(logits && { logits }) };
    } finally {
      this.running--;
    }
  }
}

/** A scored token's log-probability is less than 0 by its number. */
function rawLogprob({ topLogprobs = 0, scoredTokens = [] }: GenerateRequest, token: Token): TokenLogprob {
  const one = { token, logprob: -0.5 };
  return { ...one, top: Array.from({ length: topLogprobs }, () => one), scores: scoredTokens.map(id => -id) };
}

/** A token's log-probability is less than 0 by its number. */
function promptLogprobs({ prompt, promptLogprobs: most = 0 }: GenerateRequest): TextLogprob[] {
  return prompt.map((token, offset) => {
    const one = { token: String.fromCodePoint(token), bytes: [token], logprob: -token };
    if (offset === 0) return { ...one, logprob: Number.NaN, offset, top: [] };
    return { ...one, offset, top: Array.from({ length: most }, () => one) };
  });
}

/** Programs that are functions: they get the host and yield what they stream. */
export type ProgramBody = (call: ProgramCall) => AsyncIterable<string>;

export const passThrough: ProgramBody = ({ host, modelId, prompt, signal }) =>
  generated(host, { modelId, prompt, options: {} }, signal);

/** What the host generates, one piece at a time; leaving early ends the generation. */
export async function* generated(
  host: ProgramHost,
  call: Parameters<ProgramHost['generate']>[0],
  signal: AbortSignal,
): AsyncGenerator<string> {
  const left = new AbortController();
  const pieces = new Channel<string>(1);
  const either = AbortSignal.any([signal, left.signal]);
  const onText = (text: string) => {
    either.throwIfAborted();
    pieces.push(text);
    return pieces.room();
  };
  host.generate(call, either, onText).then(
    () => pieces.close(),
    error => pieces.fail(error),
  );
  try {
    for (let piece = await pieces.take(); piece !== undefined; piece = await pieces.take()) yield piece;
  } finally {
    left.abort();
    pieces.close();
  }
}

export const program: Program = {
  name: 'default',
  digest: '',
  trusted: true,
};

export function sandboxOf(body: ProgramBody): Sandbox & { calls: ProgramCall[] } {
  const calls: ProgramCall[] = [];
  return {
    calls,
    load: async () => program,
    async *run(call) {
      calls.push(call);
      yield* body(call);
      if (call.signal.aborted) throw new RealmError('request_cancelled', 'cancelled');
    },
    stats: () => ({ processes: 0, runs: 0, waiting: 0, submissions: 0, residentBytes: 0, cpuMs: 0 }),
    close: async () => {},
  };
}

const noUsage: Services['usage'] = {
  ofTenant: async () => ({ requests: 0, input_tokens: 0, cached_tokens: 0, output_tokens: 0 }),
  of: async () => ({ rows: [] }),
};

function responseBook(): ResponseBook {
  const { responses } = defaultConfig();
  return new ResponseBook(new MemoryResponseStore(responses), new MemoryResponseStore(responses));
}

/** Models may have a meter already. */
interface Overrides extends Partial<Omit<Services, 'models'>> {
  readonly models?: readonly (LoadedModel | MeteredModel)[] | ModelRegistry;
}

/** Models that are loaded, and stay so. */
export function registryOf(loaded: readonly (LoadedModel | MeteredModel)[], meter = unmetered): ModelRegistry {
  const never = async () => Promise.reject(new RealmError('model_file_missing', 'scripted models have no files'));
  const models = new ModelRegistry({ loader: { need: never, load: never } });
  for (const [i, each] of loaded.entries()) models.adopt('embed' in each ? each : metered(each, meter), i as ModelId);
  return models;
}

export function scripted(script: Script, { models: loaded, ...overrides }: Overrides = {}) {
  const model = new ScriptedModel('scripted', script);
  const metrics = createMetrics();
  const meter = watched(overrides.meter ?? unmetered, metrics.live);
  const models = loaded instanceof ModelRegistry ? loaded : registryOf(loaded ?? [model], meter);
  const lines: Record<string, unknown>[] = [];
  const logs = new LogFilter(createLogger({ format: 'json', write: line => lines.push(JSON.parse(line)) }));
  const directory = overrides.directory ?? new Directory();
  const services: Services = {
    models,
    meter,
    usage: noUsage,
    keptAnswers: keepsNoAnswers,
    fuel: { note: () => {}, close: async () => {} },
    rates: new Rates(new LocalRates(), () => ({})),
    adapters: new AdapterRegistry(models),
    sessions: new SessionStore(undefined),
    responses: responseBook(),
    pipelines: new PipelineBook(),
    anyModelName: true,
    text: new TextService({ bodyBytes: 10_000 }),
    sandbox: sandboxOf(passThrough),
    savedSequences: keepsNoSequences,
    tools: new ToolBook({ tools: () => [], logger: logs, metrics: metrics.tools }),
    programOf: () => program,
    directory,
    authenticate: directory.authenticate,
    authorizeAdmin: directory.authorizeAdmin,
    operator: () => {
      throw new Error('there is no store');
    },
    programOperator: () => {
      throw new Error('there is no store');
    },
    audit: { note: async () => {} },
    localOnly: true,
    limits: { ...defaultConfig().limits, bodyBytes: 10_000, messages: 4, choices: 4, drainMs: 500 },
    http: defaultConfig().http,
    metricsFor: 'public',
    logger: logs,
    logs,
    metrics,
    state: { phase: 'ready', open: new Set() },
    ...overrides,
  };
  return { app: createApp(services), services, model, lines };
}

export function post(path: string, body: unknown, init: RequestInit = {}): Request {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return new Request(`http://localhost${path}`, { method: 'POST', body: text, ...init });
}

/** The parsed `data:` frames of an event stream; `[DONE]` stays a string. */
// biome-ignore lint/suspicious/noExplicitAny: the assertions check the shape
export async function frames(response: Response): Promise<any[]> {
  const text = await response.text();
  assertFrames(text);
  return text
    .split('\n\n')
    .filter(frame => frame !== '')
    .map(frame => (frame === 'data: [DONE]' ? '[DONE]' : JSON.parse(frame.slice('data: '.length))));
}

function assertFrames(text: string): void {
  if (!/^(data: [^\n]+\n\n)+$/.test(text)) throw new Error(`not an event stream: ${text}`);
}
