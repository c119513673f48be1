import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parseDocument } from 'yaml';
import type { DeviceChoice } from '../backend/device.ts';
import type { BrownOutLimits } from '../engine/brown-out.ts';
import type { Sampling } from '../engine/request.ts';
import { RealmError } from '../errors.ts';
import type { Price } from '../metering/prices.ts';
import { fileIssue, isTemplate, mistakesIn } from './config-checks.ts';
import { check, type Issue, issueText } from './issues.ts';
import { toProgramPlace } from './program-ref.ts';
import { type ConfigDocument, configSchema, type ModelDocument, type ToolDocument } from './schema.ts';
import { toTenant } from './tenant-document.ts';
import type { TenantKeys } from './tenants.ts';

export interface Limits {
  readonly bodyBytes: number;
  readonly messages: number;
  /** Answers of one request: `n` times its prompts. */
  readonly choices: number;
  /** Texts of one request for embeddings. */
  readonly inputs: number;
  /** How long the server goes on as before when it is told to stop, but for `/ready`. */
  readonly lameDuckMs: number;
  /** How long stopping waits for requests to finish. */
  readonly drainMs: number;
  /** WebSockets that may be open. */
  readonly connections: number;
  readonly tenantConnections: number;
}

export interface LogConfig {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  /** The share of answered requests that have a line. */
  readonly sample: number;
}

export interface TelemetryConfig {
  /** A URL of a collector of traces; absent: the environment says, as OpenTelemetry has it, or there are none. */
  readonly otlp?: string | undefined;
  /** The share of traces that begin here and are sent. */
  readonly sample: number;
}

export interface HttpConfig {
  /** Origins of web pages that may ask; `*`: all. */
  readonly origins: readonly string[];
  /** How long a connection may lie idle between two requests. */
  readonly keepAliveMs: number;
  /** How long a stream may be silent before a comment says that it lives. */
  readonly heartbeatMs: number;
}

/** Either an absolute path, or a name in the catalog. */
export type ModelPlace = { readonly path: string } | { readonly catalog: string };

/** Either the template itself, or the absolute path of a file with it. */
export type TemplatePlace = { readonly source: string } | { readonly path: string };

export interface ModelEntry {
  readonly id: string;
  readonly source: ModelPlace;
  /** A smaller model that drafts for it. */
  readonly draft?: ModelPlace | undefined;
  readonly context?: number | undefined;
  /** Tokens that the KV cache holds over all sequences. */
  readonly kvTokens?: number | undefined;
  /** What the KV cache holds; default F16. */
  readonly kvType?: 'F16' | 'Q8_0' | undefined;
  /** Where it is computed; default auto. */
  readonly device?: DeviceChoice | undefined;
  /** Layers on a GPU; default as many as fit. */
  readonly gpuLayers?: number | undefined;
  /** Guesses at tokens; default lookup. */
  readonly speculation?: 'off' | 'lookup' | undefined;
  /** How long those that stream wait in a step for others' prompts; default 40. */
  readonly prefillMs?: number | undefined;
  readonly firstPrefillMs?: number | undefined;
  /** How long tokens may wait to be sent together; default 40. */
  readonly streamMs?: number | undefined;
  /** System prompts whose cached pages all tenants share. */
  readonly sharedPrompts?: readonly string[] | undefined;
  readonly system?: string | undefined;
  /** In the place of the file's. */
  readonly chatTemplate?: TemplatePlace | undefined;
  /** How it is told to write calls of tools, in the place of its template's way. */
  readonly toolFormat?: string | undefined;
  readonly sampling?: Sampling | undefined;
  readonly adapters?: readonly AdapterConfig[] | undefined;
  readonly price?: Price | undefined;
  /** Default `start`. */
  readonly load?: 'start' | 'demand' | undefined;
  readonly idleMs?: number | undefined;
  readonly pinned?: boolean | undefined;
  readonly aliases?: readonly string[] | undefined;
}

/** What programs and pipelines may ask of the world outside. */
export type ToolConfig = HttpToolConfig | PipelineToolConfig;

export interface HttpToolConfig {
  readonly name: string;
  readonly description?: string | undefined;
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** Of its answer. */
  readonly maxBytes: number;
  /** JSON Schema of what it is given; absent: anything. */
  readonly input?: Readonly<Record<string, unknown>> | undefined;
}

export interface PipelineToolConfig {
  readonly name: string;
  readonly description?: string | undefined;
  /** Which knows itself what it is given. */
  readonly pipeline: string;
}

export interface AdapterConfig {
  readonly id: string;
  /** Absolute. */
  readonly path: string;
  /** Ids of those who may use it; absent: everyone. */
  readonly tenants?: readonly string[] | undefined;
}

export interface SessionLimits {
  /** Absolute; a folder. */
  readonly path: string;
  readonly perTenant: number;
  readonly bytesPerTenant: number;
}

/** Of the responses that a tenant keeps for later requests. */
export interface ResponseLimits {
  readonly perTenant: number;
  readonly bytesPerTenant: number;
  readonly keepMs: number;
}

/** Of all tenants' own programs together. */
export interface ProgramsConfig {
  readonly workers: number;
  /** Resident; absent: a quarter of the machine's. */
  readonly memoryMb?: number | undefined;
}

export interface RealmConfig {
  readonly host: string;
  readonly port: number;
  readonly metrics: 'local' | 'public';
  readonly log: LogConfig;
  readonly telemetry: TelemetryConfig;
  readonly limits: Limits;
  readonly programs: ProgramsConfig;
  /** How long an engine may stand still in the middle of a step. */
  readonly watchdogMs: number;
  /** When an engine gives up guesses and sessions. */
  readonly brownOut: BrownOutLimits;
  readonly http: HttpConfig;
  readonly sessions?: SessionLimits | undefined;
  readonly responses: ResponseLimits;
  /** An absolute path, a URL of PostgreSQL, or `memory`; absent: nobody said, and nothing outlives the server. */
  readonly store?: string | undefined;
  /** Bytes that all models may take together; absent: what is free at the start. */
  readonly modelMemory?: number | undefined;
  /** A URL. */
  readonly redis?: string | undefined;
  /** Who is told that budgets run out. */
  readonly webhooks: readonly { readonly url: string; readonly secret: string }[];
  /** Absolute: where files of models and adapters may lie; absent: anywhere. */
  readonly folders?: readonly string[] | undefined;
  /** Hashes of the keys for loading and unloading; absent: nobody may, unless there are no tenants. */
  readonly adminKeys?: readonly string[] | undefined;
  /** Absent: the default model. */
  readonly models?: readonly ModelEntry[] | undefined;
  /** Absolute: files of pipelines, and folders of such files; absent: there are none. */
  readonly pipelines?: readonly string[] | undefined;
  readonly tools: readonly ToolConfig[];
  /** Absent: one open tenant, loopback only. */
  readonly tenants?: readonly TenantKeys[] | undefined;
}

/** Reads and validates `realm.yaml`; throws `config_invalid` with a line for every mistake. Paths in it are relative to the file, and the store lies beside it. */
export async function loadConfig(path: string): Promise<RealmConfig> {
  const text = await readFile(path, 'utf8').catch(cause => {
    throw new RealmError('config_invalid', `${path}: cannot be read: ${cause.code ?? cause.message}`, { cause });
  });
  const document = parseDocument(text, { prettyErrors: true });
  if (document.errors.length > 0)
    throw invalid(
      path,
      document.errors.map(error => ({ path: '', message: error.message.replace(/\n.*/s, '') })),
    );
  const config = await readConfig(plain(path, document) ?? {}, dirname(path), path);
  return { ...config, store: config.store ?? resolve(dirname(path), 'realm.db') };
}

/** The same for a document that is an object already; paths in it are relative to `base`, mistakes are told of `name`. */
export async function readConfig(raw: unknown, base: string, name: string): Promise<RealmConfig> {
  const checked = check(configSchema, raw);
  const issues = ['issues' in checked ? checked.issues : [], await mistakesIn(raw, base)].flat();
  if (issues.length > 0 || 'issues' in checked) throw invalid(name, issues);
  return toConfig(checked.value, base);
}

/** The mistakes of which {@link loadConfig} tells; undefined for other errors. */
export function mistakesOf(error: unknown): readonly Issue[] | undefined {
  return ((error as RealmError | undefined)?.cause as { issues?: readonly Issue[] } | undefined)?.issues;
}

/** What a server without a configuration file has. */
export function defaultConfig(): RealmConfig {
  return toConfig(configSchema.parse({}), '.');
}

/** The document's values; aliases that would expand without end are refused by the parser. */
function plain(path: string, document: ReturnType<typeof parseDocument>): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw invalid(path, [{ path: '', message: (error as Error).message }]);
  }
}

function invalid(path: string, issues: readonly Issue[]): RealmError {
  const count = issues.length === 1 ? '1 mistake' : `${issues.length} mistakes`;
  const lines = issues.map(issue => `\n  ${issueText(issue)}`).join('');
  return new RealmError('config_invalid', `${path} has ${count}:${lines}`, {
    param: issues[0]?.path || undefined,
    cause: { issues },
  });
}

function toConfig({ server, models, tenants, pipelines, tools = [] }: ConfigDocument, base: string): RealmConfig {
  const { host, port, metrics, limits, programs, admin_keys, sessions, folders } = server;
  return {
    host,
    port,
    metrics,
    log: server.log,
    telemetry: server.telemetry,
    adminKeys: admin_keys,
    folders: folders?.map(folder => resolve(base, folder)),
    sessions: sessions && {
      path: resolve(base, sessions.path),
      perTenant: sessions.per_tenant,
      bytesPerTenant: sessions.megabytes_per_tenant * 1e6,
    },
    responses: {
      perTenant: server.responses.per_tenant,
      bytesPerTenant: server.responses.megabytes_per_tenant * 1e6,
      keepMs: server.responses.keep_hours * 3_600_000,
    },
    store: toStore(server.store, base),
    modelMemory: server.memory_mb === undefined ? undefined : server.memory_mb * 1e6,
    redis: server.redis,
    webhooks: server.webhooks ?? [],
    http: {
      origins: server.origins ?? [],
      keepAliveMs: server.keep_alive_ms,
      heartbeatMs: server.heartbeat_ms,
    },
    limits: {
      bodyBytes: limits.body_bytes,
      messages: limits.messages,
      choices: limits.choices,
      inputs: limits.inputs,
      lameDuckMs: limits.lame_duck_ms,
      drainMs: limits.drain_ms,
      connections: limits.connections,
      tenantConnections: limits.tenant_connections,
    },
    watchdogMs: server.watchdog_ms,
    brownOut: {
      waiting: server.brown_out.waiting,
      memory: server.brown_out.memory_mb * 1e6,
      afterMs: server.brown_out.after_ms,
    },
    programs: { workers: programs.workers, memoryMb: programs.memory_mb },
    models: models?.map(model => toModel(model, base)),
    pipelines: pipelines === undefined ? undefined : [pipelines].flat().map(place => resolve(base, place)),
    tools: tools.map(toTool),
    tenants: tenants?.map(({ id, keys = [], program, ...document }) => ({
      ...toTenant(id, document),
      keys,
      program: program === undefined ? undefined : toProgramPlace(program, base),
    })),
  };
}

/** A model that is named while the server runs; all its files lie in `folders`. Throws `invalid_request` with every mistake. */
export async function readModel(
  document: ModelDocument,
  base: string,
  folders: readonly string[] | undefined,
): Promise<ModelEntry> {
  const raw = { models: [document], server: { folders } };
  const template = isTemplate(document.chat_template) ? undefined : document.chat_template;
  const issues = [
    ...(await mistakesIn(raw, base)),
    ...(await fileIssue(['models', 0, 'chat_template'], template, base, folders)),
  ].map(issue => ({ ...issue, path: issue.path.replace(/^models\[0\]\.?/, '') }));
  const [first] = issues;
  if (!first) return toModel(document, base);
  throw new RealmError('invalid_request', issues.map(issueText).join('; '), { param: first.path || undefined });
}

function toModel(document: ModelDocument, base: string): ModelEntry {
  const { id, path, catalog, context, speculation, system, sampling, shared_prompts } = document;
  const kvType = document.kv_cache === 'q8_0' ? 'Q8_0' : undefined;
  const source = toPlace({ path, catalog }, base);
  const draft = document.draft && toPlace(document.draft, base);
  const adapters = document.adapters?.map(adapter => ({ ...adapter, path: resolve(base, adapter.path) }));
  return {
    id,
    source,
    draft,
    context,
    kvTokens: document.kv_tokens,
    kvType,
    device: document.device,
    gpuLayers: document.gpu_layers,
    speculation,
    prefillMs: document.prefill_ms,
    firstPrefillMs: document.first_prefill_ms,
    streamMs: document.stream_interval_ms,
    sharedPrompts: shared_prompts,
    system,
    chatTemplate: toTemplate(document.chat_template, base),
    toolFormat: document.tool_format,
    sampling: sampling && toSampling(sampling),
    adapters,
    price: document.price,
    load: document.load,
    idleMs: document.idle_seconds === undefined ? undefined : document.idle_seconds * 1000,
    pinned: document.pinned,
    aliases: document.aliases,
  };
}

function toTool(document: ToolDocument): ToolConfig {
  if ('pipeline' in document) return document;
  const { timeout_ms: timeoutMs, max_bytes: maxBytes, ...tool } = document;
  return { ...tool, timeoutMs, maxBytes };
}

function toStore(place: string | undefined, base: string): string | undefined {
  return place === undefined || place === 'memory' || /^postgres(?:ql)?:\/\//.test(place)
    ? place
    : resolve(base, place);
}

function toTemplate(text: string | undefined, base: string): TemplatePlace | undefined {
  if (text === undefined) return undefined;
  return isTemplate(text) ? { source: text } : { path: resolve(base, text) };
}

type WrittenPlace = { readonly path?: string | undefined; readonly catalog?: string | undefined };

/** The schema has seen that the document names one of the two. */
function toPlace({ path, catalog = '' }: WrittenPlace, base: string): ModelPlace {
  return path === undefined ? { catalog } : { path: resolve(base, path) };
}

function toSampling(fields: NonNullable<ModelDocument['sampling']>): Sampling {
  return {
    temperature: fields.temperature,
    topK: fields.top_k,
    topP: fields.top_p,
    minP: fields.min_p,
    repetitionPenalty: fields.repetition_penalty,
    presencePenalty: fields.presence_penalty,
    frequencyPenalty: fields.frequency_penalty,
  };
}
