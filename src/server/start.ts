import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { FetchObserver } from '../catalog/types.ts';
import { asRealmError, RealmError } from '../errors.ts';
import type { ServedModel } from '../llm/load.ts';
import { SessionStore } from '../llm/sessions.ts';
import { unmetered } from '../metering/meter.ts';
import { readBuiltinProgram } from '../sandbox/builtin.ts';
import { createSandbox } from '../sandbox/sandbox.ts';
import type { ModelId, Program, Sandbox } from '../sandbox/types.ts';
import { openStore } from '../store/open.ts';
import { type Logger, silent } from '../telemetry/log.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { defaultConfig, loadConfig, type ModelEntry, type RealmConfig, readModel } from '../tenancy/config.ts';
import { adminAuthorization, keyAuthentication, openAuthentication, type Tenant } from '../tenancy/tenants.ts';
import { AdapterRegistry } from './adapters.ts';
import { createApp } from './app.ts';
import { drain } from './drain.ts';
import { isLocalName } from './local.ts';
import { definitionOf, idOf, logModels, modelLoader } from './model-loader.ts';
import { ModelMemory } from './model-memory.ts';
import { ModelRegistry } from './model-registry.ts';
import type { ModelSlot } from './model-slot.ts';
import { ModelStore } from './model-store.ts';
import { type Listener, listen } from './node.ts';
import { ResponseBook } from './responses/book.ts';
import { MemoryResponseStore } from './responses/store.ts';
import type { Services } from './services.ts';
import { TextService } from './text/service.ts';

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
  /** Aborted while models are being loaded: nothing is left running, and its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}

export interface RunningServer {
  readonly url: string;
  /** Those that are loaded. */
  readonly models: readonly ServedModel[];
  /** Those that are not: they are loaded on demand, or could not be. */
  readonly unloaded: readonly { readonly id: string; readonly problem: string | undefined }[];
  /** Whether requests need a key. */
  readonly keyed: boolean;
  /** Drains and frees everything; see {@link drain}. */
  close(): Promise<void>;
}

/**
 * Starts a server: the port first, so that a port in use is known before anything is loaded, then programs and models.
 * A model that cannot be loaded is tried again when it is asked for, if there is another one. Throws what is wrong with
 * the configuration, the port, a program or the only model; nothing is left running then.
 */
export async function startServer(options: StartOptions): Promise<RunningServer> {
  const config = options.config ?? (await configAt(options.configPath));
  const [host, port] = [options.host ?? config.host, options.port ?? config.port];
  refuseOpenToOthers(config, host);
  const models: ServedModel[] = [];
  const programs = new Map<string, Program>();
  const sandbox = createSandbox(config.programs);
  const store = await openStore(config.store ?? 'memory', { lock: true });
  const modelStore = new ModelStore(store);
  const onLoaded = (model: ServedModel) => {
    // Those that are loaded later must not be kept here when they are gone.
    if (services.state.phase === 'loading') models.push(model);
  };
  const services: Services = compose(config, options, { modelStore, programs, sandbox, onLoaded });
  const { keepAliveMs } = config.http;
  const listener = await listen(createApp(services), host, port, {
    keepAliveMs,
    logger: services.logger,
    messageBytes: config.limits.bodyBytes,
  }).catch(async error => {
    await store.close();
    throw error;
  });
  try {
    const builtin = loadBuiltin(sandbox);
    await loadPrograms(config, sandbox, programs);
    await addModels(services, config, options);
    if (options.model === undefined) await addStored(services, modelStore);
    await loadFirst(services, options.signal);
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
  const unloaded = services.models.all.flatMap(({ id, model, failure }) => {
    return model ? [] : { id, problem: failure?.error.message };
  });
  return { url, models: [...models], unloaded, keyed: config.tenants !== undefined, close };
}

/** The models of the configuration, in its order, with their adapters. */
async function addModels({ models, adapters }: Services, config: RealmConfig, options: StartOptions): Promise<void> {
  for (const [i, entry] of modelsOf(config, options).entries()) {
    const { modelId } = models.add(definitionOf(entry, await idOf(entry, options), 'file'), i as ModelId);
    for (const [k, adapter] of (entry.adapters ?? []).entries())
      adapters.declare(modelId, { ...adapter, param: `models[${i}].adapters[${k}].path` });
  }
}

/** Models that were added while an earlier server ran. What `realm.yaml` calls the same goes before them. */
async function addStored({ models, adapters, folders, logger }: Services, store: ModelStore): Promise<void> {
  for (const { number, document, base } of await store.list()) {
    try {
      const entry = await readModel(document, base, folders);
      models.add(definitionOf(entry, entry.id, 'store'), number);
      for (const adapter of entry.adapters ?? []) adapters.declare(number, adapter);
    } catch (error) {
      const { code, message } = asRealmError(error);
      logger.log('warn', 'model left out', { model: document.id, code, reason: message });
    }
  }
}

/** Loads what is to be there from the start. Throws what is wrong with a model where there would be none. */
async function loadFirst({ models }: Services, signal: AbortSignal | undefined): Promise<void> {
  const failed: unknown[] = [];
  const isFirst = ({ definition: { load } }: ModelSlot) => load === 'start';
  for (const slot of models.all.filter(isFirst)) {
    await models.load(slot).catch(error => failed.push(error));
    signal?.throwIfAborted();
  }
  if (failed.length === models.all.length) throw failed[0];
}

async function configAt(path: string | undefined): Promise<RealmConfig> {
  return path === undefined ? defaultConfig() : loadConfig(path);
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
  parts: {
    modelStore: ModelStore;
    programs: ReadonlyMap<string, Program>;
    sandbox: Sandbox;
    onLoaded: (model: ServedModel) => void;
  },
): Services {
  const metrics = createMetrics();
  const logger = options.logger ?? silent;
  const meter = unmetered;
  const text = new TextService({ bodyBytes: config.limits.bodyBytes, observe: metrics.text });
  const adapters = new AdapterRegistry({ find: name => models.find(name) });
  const { onLoaded } = parts;
  const loader = modelLoader({ adapters, logger, meter, text }, { ...options, tenants: config.tenants, onLoaded });
  const models = new ModelRegistry({
    loader,
    memory: new ModelMemory(config.modelMemory),
    isTaken: name => adapters.isTaken(name),
  });
  logModels({ models, logger });
  return {
    models,
    modelStore: parts.modelStore,
    adapters,
    meter,
    sessions: new SessionStore(config.sessions),
    responses: new ResponseBook(new MemoryResponseStore(config.responses), new MemoryResponseStore(config.responses)),
    anyModelName: config.models === undefined || options.model !== undefined,
    text,
    sandbox: parts.sandbox,
    programOf: tenant => loadedProgram(parts.programs, tenant),
    authenticate: config.tenants === undefined ? openAuthentication() : keyAuthentication(config.tenants),
    authorizeAdmin: adminAuthorization(config.adminKeys, config.tenants === undefined),
    localOnly: config.tenants === undefined,
    limits: config.limits,
    folders: config.folders,
    http: config.http,
    metricsFor: config.metrics,
    logger,
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

function modelsOf(config: RealmConfig, { model }: StartOptions): readonly Partial<ModelEntry>[] {
  if (model === undefined) return config.models ?? [{}];
  return [{ source: { catalog: model } }];
}

async function stop(services: Services, listener: Listener, drainMs: number): Promise<void> {
  await drain(services.state, listener, drainMs);
  await services.sandbox.close();
  await services.text.close();
  await services.models.close();
}
