import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { FetchObserver } from '../catalog/types.ts';
import { asRealmError, RealmError } from '../errors.ts';
import { loadModel, type ServedModel } from '../llm/load.ts';
import { SessionStore } from '../llm/sessions.ts';
import { unmetered } from '../metering/meter.ts';
import { readBuiltinProgram } from '../sandbox/builtin.ts';
import { createSandbox } from '../sandbox/sandbox.ts';
import type { ModelId, Program, Sandbox } from '../sandbox/types.ts';
import { openStore } from '../store/open.ts';
import { type Logger, silent } from '../telemetry/log.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { defaultConfig, loadConfig, type ModelEntry, type RealmConfig } from '../tenancy/config.ts';
import { adminAuthorization, keyAuthentication, openAuthentication, type Tenant } from '../tenancy/tenants.ts';
import { AdapterRegistry, type NumberedModel } from './adapters.ts';
import { createApp } from './app.ts';
import { drain } from './drain.ts';
import { isLocalName } from './local.ts';
import { type MeteredModel, metered } from './metered-model.ts';
import { type Listener, listen } from './node.ts';
import { ResponseBook } from './responses/book.ts';
import { MemoryResponseStore } from './responses/store.ts';
import type { Services } from './services.ts';
import { SharedMemory } from './shared-memory.ts';
import { TextService } from './text/service.ts';
import { watchEngine } from './watch-engine.ts';

export interface StartOptions {
  /** Path of `realm.yaml`; absent: one open tenant, loopback only. */
  readonly configPath?: string | undefined;
  /** A configuration that was read already, instead of that file. */
  readonly config?: RealmConfig;
  /** A catalog name or a path, instead of the models of the configuration. Default: the catalog's default. */
  readonly model?: string;
  readonly host?: string;
  /** 0: any free port. */
  readonly port?: number;
  readonly context?: number;
  readonly threads?: number;
  readonly logger?: Logger | undefined;
  /** Hears of downloads. */
  readonly observer?: FetchObserver;
  /** Hears of weights being loaded, bytes. */
  readonly onProgress?: (loaded: number, total: number) => void;
  /** Loads a model; default: from its file, into an engine. */
  readonly loader?: typeof loadModel;
  /** Aborted while models are being loaded: nothing is left running, and its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}

export interface RunningServer {
  readonly url: string;
  readonly models: readonly ServedModel[];
  /** Whether requests need a key. */
  readonly keyed: boolean;
  /** Drains and frees everything; see {@link drain}. */
  close(): Promise<void>;
}

/**
 * Starts a server: the port first, so that a port in use is known before anything is loaded, then programs and models.
 * Throws what is wrong with the configuration, the port, a program or a model; nothing is left running then.
 */
export async function startServer(options: StartOptions): Promise<RunningServer> {
  const config = options.config ?? (await configAt(options.configPath));
  const [host, port] = [options.host ?? config.host, options.port ?? config.port];
  refuseOpenToOthers(config, host);
  const models: ServedModel[] = [];
  const served: MeteredModel[] = [];
  const programs = new Map<string, Program>();
  const sandbox = createSandbox(config.programs);
  const store = await openStore(config.store ?? 'memory', { lock: true });
  const services = compose(config, options, { models: served, programs, sandbox });
  const { keepAliveMs } = config.http;
  const listener = await listen(createApp(services), host, port, {
    keepAliveMs,
    logger: services.logger,
    messageBytes: config.limits.bodyBytes,
    sockets: config.limits,
  }).catch(async error => {
    await store.close();
    throw error;
  });
  try {
    const builtin = loadBuiltin(sandbox);
    await loadPrograms(config, sandbox, programs);
    const entries = modelsOf(config, options);
    const memory = new SharedMemory(entries.length);
    for (const each of entries) {
      const model = await (options.loader ?? loadModel)(each, {
        ...options,
        memory: memory.share,
        tenants: config.tenants,
        onWarning: warningsOf(services, each),
      });
      memory.take((await model.engine.stats()).memory);
      watchEngine(model, services.logger);
      models.push(model);
      const own = metered(model, services.meter);
      const modelId = (served.push(own) - 1) as ModelId;
      await loadAdapters(services.adapters, { model: own, modelId }, each);
    }
    programs.set('', await builtin);
  } catch (error) {
    await stop(services, listener, 0);
    await store.close();
    throw error;
  }
  services.state.phase = 'ready';
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${listener.port}`;
  const close = async () => {
    await stop(services, listener, config.limits.drainMs);
    await store.close();
  };
  return { url, models, keyed: config.tenants !== undefined, close };
}

async function configAt(path: string | undefined): Promise<RealmConfig> {
  return path === undefined ? defaultConfig() : loadConfig(path);
}

/** What a model's file says wrong, in the log. */
function warningsOf({ logger }: Services, { id }: Partial<ModelEntry>): (message: string) => void {
  return problem => logger.log('warn', 'model', { model: id, problem });
}

/** Without keys, everybody who reaches the port may use the models. */
function refuseOpenToOthers({ tenants }: RealmConfig, host: string): void {
  if (tenants !== undefined || isLocalName(host)) return;
  const message = `host ${host} can be reached by other machines and there are no keys; name tenants with keys in realm.yaml, or listen on 127.0.0.1`;
  throw new RealmError('config_invalid', message, { param: 'server.host' });
}

function compose(
  config: RealmConfig,
  options: StartOptions,
  parts: { models: readonly MeteredModel[]; programs: ReadonlyMap<string, Program>; sandbox: Sandbox },
): Services {
  const metrics = createMetrics();
  return {
    models: parts.models,
    adapters: new AdapterRegistry(parts.models),
    meter: unmetered,
    sessions: new SessionStore(config.sessions),
    responses: new ResponseBook(new MemoryResponseStore(config.responses), new MemoryResponseStore(config.responses)),
    anyModelName: config.models === undefined || options.model !== undefined,
    text: new TextService({ bodyBytes: config.limits.bodyBytes, observe: metrics.text }),
    sandbox: parts.sandbox,
    programOf: tenant => loadedProgram(parts.programs, tenant),
    authenticate: config.tenants === undefined ? openAuthentication() : keyAuthentication(config.tenants),
    authorizeAdmin: adminAuthorization(config.adminKeys, config.tenants === undefined),
    localOnly: config.tenants === undefined,
    limits: config.limits,
    folders: config.folders,
    http: config.http,
    metricsFor: config.metrics,
    logger: options.logger ?? silent,
    metrics,
    state: { phase: 'loading', open: new Set() },
  };
}

/** Tenants with the same memory share the program of one file. */
function programKey({ program, memoryMb }: Tenant): string {
  return program === undefined ? '' : `${memoryMb} ${program}`;
}

/** Requests are answered only after all programs have been loaded. */
function loadedProgram(programs: ReadonlyMap<string, Program>, tenant: Tenant): Program {
  const program = programs.get(programKey(tenant));
  if (program) return program;
  throw new RealmError('not_ready', 'The programs are still being loaded; try again in a moment');
}

/** Its thread starts while models are loaded; that it failed is told when it is needed. */
function loadBuiltin(sandbox: Sandbox): Promise<Program> {
  const loading = readBuiltinProgram('default').then(bytes => sandbox.load('default', bytes, { trusted: true }));
  loading.catch(() => {});
  return loading;
}

async function loadPrograms(
  { tenants = [] }: RealmConfig,
  sandbox: Sandbox,
  programs: Map<string, Program>,
): Promise<void> {
  for (const [i, tenant] of tenants.entries()) {
    const { program, memoryMb } = tenant;
    if (program === undefined || programs.has(programKey(tenant))) continue;
    try {
      programs.set(programKey(tenant), await sandbox.load(basename(program), await readFile(program), { memoryMb }));
    } catch (cause) {
      const { code, message } = asRealmError(cause);
      const param = `tenants[${i}].program`;
      throw new RealmError(code, `${param}: ${program}: ${message}`, { param, cause });
    }
  }
}

async function loadAdapters(
  registry: AdapterRegistry,
  base: NumberedModel,
  { adapters = [] }: Partial<ModelEntry>,
): Promise<void> {
  for (const [i, adapter] of adapters.entries()) {
    try {
      await registry.load(base, adapter);
    } catch (cause) {
      const { code, message } = asRealmError(cause);
      const param = `models[${base.modelId}].adapters[${i}].path`;
      throw new RealmError(code, `${param}: ${adapter.path}: ${message}`, { param, cause });
    }
  }
}

function modelsOf(config: RealmConfig, { model }: StartOptions): readonly Partial<ModelEntry>[] {
  if (model === undefined) return config.models ?? [{}];
  return [{ source: { catalog: model } }];
}

async function stop(services: Services, listener: Listener, drainMs: number): Promise<void> {
  await drain(services.state, listener, drainMs);
  await services.sandbox.close();
  await services.text.close();
  await Promise.all(services.models.map(model => model.engine.close()));
}
