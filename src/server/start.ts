import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { FetchObserver } from '../catalog/types.ts';
import { asRealmError, RealmError } from '../errors.ts';
import type { loadModel, ServedModel } from '../llm/load.ts';
import { SessionStore } from '../llm/sessions.ts';
import type { BudgetSource } from '../metering/budgets.ts';
import { LedgerMeter } from '../metering/ledger-meter.ts';
import { tellCrossings } from '../metering/outbox.ts';
import { UsageReports } from '../metering/reports.ts';
import { withRates } from '../rates/meter.ts';
import type { RateOf } from '../rates/rate.ts';
import type { Rates } from '../rates/rates.ts';
import { readBuiltinProgram } from '../sandbox/builtin.ts';
import { createSandbox } from '../sandbox/sandbox.ts';
import type { ModelId, Program, Sandbox } from '../sandbox/types.ts';
import { openStore, type Store } from '../store/open.ts';
import { watched } from '../telemetry/live.ts';
import { type Logger, silent } from '../telemetry/log.ts';
import { LogFilter } from '../telemetry/log-filter.ts';
import { createMetrics, type Metrics } from '../telemetry/metrics.ts';
import { openTracing } from '../telemetry/open-tracing.ts';
import type { Tracing } from '../telemetry/tracing.ts';
import { Administration } from '../tenancy/administration.ts';
import { defaultConfig, loadConfig, type ModelEntry, type RealmConfig, readModel } from '../tenancy/config.ts';
import { Directory } from '../tenancy/directory.ts';
import type { Tenant } from '../tenancy/tenants.ts';
import { AdapterRegistry } from './adapters.ts';
import { createApp } from './app.ts';
import { type DrainLimits, drain } from './drain.ts';
import { KeptAnswers } from './kept-answers.ts';
import { isLocalName } from './local.ts';
import { definitionOf, idOf, logModels, modelLoader } from './model-loader.ts';
import { ModelMemory } from './model-memory.ts';
import { ModelRegistry } from './model-registry.ts';
import type { ModelSlot } from './model-slot.ts';
import { ModelStore } from './model-store.ts';
import { type Listener, listen } from './node.ts';
import { openRates } from './open-rates.ts';
import { Outbox } from './outbox.ts';
import { ConfigReload, type Live } from './reload.ts';
import { ResponseBook } from './responses/book.ts';
import { MemoryResponseStore } from './responses/store.ts';
import type { ServerState, Services } from './services.ts';
import { supervision } from './supervise.ts';
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
  /** Loads a model; default: from its file, into an engine. */
  readonly loader?: typeof loadModel;
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
  /** Reads realm.yaml again: what can be changed while the server runs is, unless there is a mistake in it. Both are logged. */
  reload(): Promise<void>;
  /** Which lines it logs, to change while it runs. */
  readonly logs: LogFilter;
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
  const live: Live = { config };
  const models: ServedModel[] = [];
  const programs = new Map<string, Program>();
  const sandbox = createSandbox(config.programs);
  const store = await openStore(config.store ?? 'memory', { lock: true });
  const modelStore = new ModelStore(store);
  const directory = new Directory({ ...config, reachable: !isLocalName(host) });
  const metrics = createMetrics();
  const logs = new LogFilter(options.logger ?? silent, config.log);
  const tracing = await openTracing(config.telemetry, logs);
  const logger = logs;
  const administration = new Administration(store, directory, config, {
    cancelled: keyId => cancelRequestsOf(services.state, keyId),
    lost: error => services.logger.log('warn', 'store does not answer', { problem: asRealmError(error).message }),
  });
  const ledger = await openMeter(store, live, directory).catch(async error => {
    await store.close();
    throw error;
  });
  const rates = await openRates(config.redis, rateOf(directory), { logger, metrics: metrics.rates });
  const outbox = new Outbox(store, config.webhooks, { logger });
  const closeStores = async () => {
    await ledger.close();
    await administration.close();
    await outbox.close();
    await rates.close();
    await services.keptAnswers.close();
    await store.close();
  };
  const services = compose(live, options, {
    store,
    logs,
    tracing,
    ledger,
    rates,
    metrics,
    modelStore,
    programs,
    sandbox,
    administration,
    onLoaded(model) {
      if (services.state.phase === 'loading') models.push(model);
      sampleAsConfigured(live, model);
    },
  });
  try {
    await administration.start();
    refuseOpenToOthers(config, host, directory);
  } catch (error) {
    await closeStores();
    throw error;
  }
  const { keepAliveMs } = config.http;
  const listener = await listen(createApp(services), host, port, {
    keepAliveMs,
    logger: services.logger,
    messageBytes: config.limits.bodyBytes,
    sockets: config.limits,
  }).catch(async error => {
    await closeStores();
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
    await stop(services, listener, { drainMs: 0, lameDuckMs: 0 });
    await closeStores();
    throw error;
  }
  services.state.phase = 'ready';
  const reload = new ConfigReload(options.config ? undefined : options.configPath, live, services.logger, {
    async prepare(next) {
      refuseOpenToOthers(next, host, directory);
      await loadPrograms(next, sandbox, programs);
    },
    apply(next) {
      administration.setFile(next);
      for (const { model } of services.models.all) if (model) sampleAsConfigured(live, model);
    },
    note: detail => services.audit.note({ actor: 'file', action: 'config.reloaded', target: 'realm.yaml', detail }),
  });
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${listener.port}`;
  const close = async () => {
    reload.close();
    await stop(services, listener, live.config.limits);
    await closeStores();
  };
  const unloaded = services.models.all.flatMap(({ id, model, failure }) => {
    return model ? [] : { id, problem: failure?.error.message };
  });
  return { url, models: [...models], unloaded, keyed: !directory.open, reload: () => reload.run(), logs, close };
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

/** The file may have been read again since it named the model. */
function sampleAsConfigured({ config }: Live, model: Pick<ServedModel, 'id' | 'setSampling'>): void {
  const entry = config.models?.find(({ id }) => id === model.id);
  if (entry) model.setSampling?.(entry.sampling);
}

async function configAt(path: string | undefined): Promise<RealmConfig> {
  return path === undefined ? defaultConfig() : loadConfig(path);
}

/** Budgets and prices as tenants, keys and models have them now. */
function openMeter(store: Store, live: Live, directory: Directory): Promise<LedgerMeter> {
  const budgetsOf: BudgetSource = (tenant, keyId) => {
    const own = directory.tenant(tenant)?.budgets ?? [];
    const ofKey = (keyId !== undefined && directory.principalOf(keyId)?.budgets) || [];
    return ofKey.length === 0 ? own : [...own, ...ofKey.map(budget => ({ ...budget, key: keyId }))];
  };
  const priceOf = (model: string) => live.config.models?.find(({ id }) => id === model)?.price;
  return LedgerMeter.onStore(store, { budgetsOf, priceOf, onSpent: tellCrossings });
}

/** Without keys, everybody who reaches the port may use the models. */
function refuseOpenToOthers({ tenants, adminKeys }: RealmConfig, host: string, directory: Directory): void {
  // Whoever has an administrator's key can create tenants.
  const keyed = tenants !== undefined || adminKeys !== undefined || directory.hasStored;
  if (keyed || isLocalName(host)) return;
  const message = `host ${host} can be reached by other machines and there are no keys; name tenants with keys in realm.yaml, or listen on 127.0.0.1`;
  throw new RealmError('config_invalid', message, { param: 'server.host' });
}

function compose(
  live: Live,
  options: StartOptions,
  parts: {
    ledger: LedgerMeter;
    modelStore: ModelStore;
    programs: ReadonlyMap<string, Program>;
    sandbox: Sandbox;
    administration: Administration;
    onLoaded: (model: ServedModel) => void;
    store: Store;
    rates: Rates;
    metrics: Metrics;
    logs: LogFilter;
    tracing: Tracing | undefined;
  },
): Services {
  const { config } = live;
  const { directory, audit } = parts.administration;
  const { rates, metrics, ledger, onLoaded } = parts;
  const logger = parts.logs;
  const meter = watched(withRates(ledger, rates), metrics.live);
  const text = new TextService({ bodyBytes: config.limits.bodyBytes, observe: metrics.text });
  const adapters = new AdapterRegistry({ find: name => models.find(name), at: modelId => models.at(modelId) });
  const loader = modelLoader(
    { adapters, logger, meter, text },
    {
      ...options,
      onLoaded,
      supervision: model => supervision(model, config, logger),
    },
  );
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
    rates,
    keptAnswers: new KeptAnswers(parts.store.db),
    usage: new UsageReports(parts.store),
    sessions: new SessionStore(config.sessions),
    responses: new ResponseBook(new MemoryResponseStore(config.responses), new MemoryResponseStore(config.responses)),
    anyModelName: config.models === undefined || options.model !== undefined,
    text,
    sandbox: parts.sandbox,
    programOf: tenant => loadedProgram(parts.programs, tenant),
    directory,
    authenticate: directory.authenticate,
    authorizeAdmin: directory.authorizeAdmin,
    operator: actor => parts.administration.operator(actor),
    audit,
    get localOnly() {
      return directory.open;
    },
    get limits() {
      return live.config.limits;
    },
    get folders() {
      return live.config.folders;
    },
    get http() {
      return live.config.http;
    },
    get metricsFor() {
      return live.config.metrics;
    },
    logger,
    logs: parts.logs,
    tracing: parts.tracing,
    metrics,
    state: { phase: 'loading', open: new Set() },
  };
}

/** Of tenants and keys as they are now. */
function rateOf(directory: Directory): RateOf {
  return ({ tenant, keyId }) => ({
    tenant: directory.tenant(tenant)?.rate,
    key: keyId === undefined ? undefined : directory.principalOf(keyId)?.rate,
  });
}

function cancelRequestsOf({ open }: ServerState, keyId: string): void {
  const reason = new RealmError('request_cancelled', 'The key of the request was revoked');
  for (const exchange of open) if (exchange.keyId === keyId) exchange.cancel(reason);
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

async function stop(services: Services, listener: Listener, limits: DrainLimits): Promise<void> {
  await drain(services.state, listener, limits);
  await services.sandbox.close();
  await services.text.close();
  await services.models.close();
  await services.tracing?.close();
}
