import { resolve } from 'node:path';
import type { DeviceChoice } from '../backend/device.ts';
import { defaultModel } from '../catalog/catalog.ts';
import { modelsIn } from '../catalog/here.ts';
import type { FetchObserver } from '../catalog/types.ts';
import { asRealmError, RealmError } from '../errors.ts';
import type { loadModel, ServedModel } from '../llm/load.ts';
import { FilePrograms } from '../programs/file-programs.ts';
import { ProgramLibrary } from '../programs/library.ts';
import { ProgramStore } from '../programs/program-store.ts';
import { createSandbox } from '../sandbox/sandbox.ts';
import { openStore } from '../store/open.ts';
import { type Logger, silent } from '../telemetry/log.ts';
import { LogFilter } from '../telemetry/log-filter.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { openTracing } from '../telemetry/open-tracing.ts';
import { Administration } from '../tenancy/administration.ts';
import { defaultConfig, loadConfig, type ModelEntry, type RealmConfig } from '../tenancy/config.ts';
import { Directory } from '../tenancy/directory.ts';
import { createApp } from './app.ts';
import { compose, openMeter, rateOf } from './compose.ts';
import { type DrainLimits, drain } from './drain.ts';
import { addModels, addStored, loadFirst } from './first-models.ts';
import { isLocalName } from './local.ts';
import { ModelStore } from './model-store.ts';
import { type Listener, listen } from './node.ts';
import { openRates } from './open-rates.ts';
import { Outbox } from './outbox.ts';
import { watchedFiles } from './pipelines/load.ts';
import { preparePipelines } from './pipelines/serve.ts';
import { ConfigReload, type Live } from './reload.ts';
import type { ServerState, Services } from './services.ts';

export interface StartOptions {
  /** Path of `realm.yaml`; absent: one open tenant, loopback only. */
  readonly configPath?: string | undefined;
  /** A configuration that was read already, instead of that file. */
  readonly config?: RealmConfig;
  /** A catalog name or a path, instead of the models of the configuration. Default: the catalog's default. */
  readonly model?: string;
  /** A folder of GGUF files, each of which is loaded when it is first asked for, instead of the models of the configuration. */
  readonly models?: string;
  readonly host?: string;
  /** 0: any free port. */
  readonly port?: number;
  readonly context?: number;
  readonly threads?: number;
  /** Of all models; default: what the configuration says of each, else `auto`. */
  readonly device?: DeviceChoice | undefined;
  /** The same of layers on a GPU; else as many as fit. */
  readonly gpuLayers?: number | undefined;
  readonly logger?: Logger | undefined;
  /** Hears of downloads. */
  readonly observer?: FetchObserver;
  /** Hears of weights being loaded, bytes. */
  readonly onProgress?: (loaded: number, total: number) => void;
  /** Loads a model; default: from its file, into an engine. */
  readonly loader?: typeof loadModel;
  /** Listens nowhere: requests come through {@link RunningServer.fetch} alone. */
  readonly offline?: boolean;
  /** Aborted while models are being loaded: nothing is left running, and its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}

export interface RunningServer {
  readonly url: string;
  /** Those that are loaded. */
  readonly models: readonly ServedModel[];
  /** Those that are not: they are loaded on demand, or could not be. */
  readonly unloaded: readonly { readonly id: string; readonly problem: string | undefined }[];
  /** Answers a request as if it had come from this machine. */
  fetch(request: Request): Promise<Response>;
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
  const sandbox = createSandbox(config.programs);
  // Closed in the other order, also where something that follows fails.
  await using opened = new AsyncDisposableStack();
  const store = await openStore(config.store ?? 'memory', { lock: true });
  opened.defer(() => store.close());
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
  opened.defer(() => administration.close());
  const { audit, follower } = administration;
  const programStore = new ProgramStore(store, audit, () => follower.changed());
  const programs = new ProgramLibrary({ store: programStore, follower, sandbox });
  administration.checkProgram = (tenant, ref) => programs.check(tenant, ref);
  const ledger = await openMeter(store, live, directory);
  opened.defer(() => ledger.close());
  const rates = await openRates(config.redis, rateOf(directory), { logger, metrics: metrics.rates });
  opened.defer(() => rates.close());
  const outbox = new Outbox(store, config.webhooks, { logger });
  opened.defer(() => outbox.close());
  const onLoaded = (model: ServedModel) => {
    if (services.state.phase === 'loading') models.push(model);
    sampleAsConfigured(live, model);
  };
  const services: Services = compose(
    live,
    { ...options, onLoaded },
    {
      store,
      logs,
      tracing,
      ledger,
      rates,
      metrics,
      modelStore,
      programs,
      programStore,
      sandbox,
      administration,
    },
  );
  opened.defer(() => services.keptAnswers.close());
  await administration.start();
  refuseOpenToOthers(config, host, directory);
  const { keepAliveMs } = config.http;
  const app = createApp(services);
  const listener = options.offline
    ? nowhere
    : await listen(app, host, port, {
        keepAliveMs,
        logger: services.logger,
        messageBytes: config.limits.bodyBytes,
        sockets: config.limits,
      });
  try {
    const builtin = programs.builtin('default');
    programs.files = await FilePrograms.load(config.tenants, sandbox);
    await addModels(services, await modelsOf(config, options), options);
    if (options.model === undefined && options.models === undefined) await addStored(services, modelStore);
    services.pipelines.set(await preparePipelines(services, config));
    await loadFirst(services, options.signal);
    await builtin;
  } catch (error) {
    await stop(services, listener, { drainMs: 0, lameDuckMs: 0 });
    throw error;
  }
  services.state.phase = 'ready';
  void loadNamed(services);
  let files = programs.files;
  let prepared = new Map() as Awaited<ReturnType<typeof preparePipelines>>;
  const reload = new ConfigReload(options.config ? undefined : options.configPath, live, services.logger, {
    async prepare(next) {
      refuseOpenToOthers(next, host, directory);
      reload.watch(await watchedFiles(next.pipelines, services.pipelines.all));
      files = await FilePrograms.load(next.tenants, sandbox, programs.files);
      prepared = await preparePipelines(services, next);
      reload.watch(await watchedFiles(next.pipelines, prepared.values()));
    },
    apply(next) {
      for (const path of files.changedSince(programs.files)) logger.log('info', 'program read again', { path });
      programs.files = files;
      administration.setFile(next);
      for (const { model } of services.models.all) if (model) sampleAsConfigured(live, model);
      void loadNamed(services);
      return services.pipelines.set(prepared).map(name => `pipelines[${name}]`);
    },
    note: detail => services.audit.note({ actor: 'file', action: 'config.reloaded', target: 'realm.yaml', detail }),
  });
  reload.watch(await watchedFiles(config.pipelines, services.pipelines.all));
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${listener.port}`;
  const kept = opened.move();
  const close = async () => {
    reload.close();
    await stop(services, listener, live.config.limits);
    await kept.disposeAsync();
  };
  const unloaded = services.models.all.flatMap(({ id, model, failure }) => {
    return model ? [] : { id, problem: failure?.error.message };
  });
  const fetch = async (request: Request) => app.fetch(request, { remoteAddress: '127.0.0.1' });
  return { url, fetch, models: [...models], unloaded, keyed: !directory.open, reload: () => reload.run(), logs, close };
}

const nowhere: Listener = { port: 0, stop: () => {}, destroy: () => {} };

/** The file may have been read again since it named the model. */
function sampleAsConfigured({ config }: Live, model: Pick<ServedModel, 'id' | 'setSampling'>): void {
  const entry = config.models?.find(({ id }) => id === model.id);
  if (entry) model.setSampling?.(entry.sampling);
}

async function configAt(path: string | undefined): Promise<RealmConfig> {
  return path === undefined ? defaultConfig() : loadConfig(path);
}

/** Without keys, everybody who reaches the port may use the models. */
function refuseOpenToOthers({ tenants, adminKeys }: RealmConfig, host: string, directory: Directory): void {
  // Whoever has an administrator's key can create tenants.
  const keyed = tenants !== undefined || adminKeys !== undefined || directory.hasStored;
  if (keyed || isLocalName(host)) return;
  const message = `host ${host} can be reached by other machines and there are no keys; name tenants with keys in realm.yaml, or listen on 127.0.0.1`;
  throw new RealmError('config_invalid', message, { param: 'server.host' });
}

function cancelRequestsOf({ open }: ServerState, keyId: string): void {
  const reason = new RealmError('request_cancelled', 'The key of the request was revoked');
  for (const exchange of open) if (exchange.keyId === keyId) exchange.cancel(reason);
}

/** So that no request waits for its tenant's program. One that is not there may come yet. */
async function loadNamed({ directory, programOf, logger }: Services): Promise<void> {
  const named = [...directory.tenants()].filter(({ program }) => program !== undefined && 'name' in program);
  for (const tenant of named) {
    try {
      await programOf(tenant);
    } catch (error) {
      const { code, message } = asRealmError(error);
      logger.log('warn', "a tenant's program cannot be used", { tenant: tenant.id, code, message });
    }
  }
}

async function modelsOf(
  config: RealmConfig,
  { model, models: folder }: StartOptions,
): Promise<readonly Partial<ModelEntry>[]> {
  if (model !== undefined) return [{ source: { catalog: model } }];
  if (folder === undefined) return config.models ?? [{ source: { catalog: defaultModel } }];
  const found = await modelsIn(resolve(folder));
  if (found.length === 0) throw new RealmError('model_file_missing', `${resolve(folder)} has no GGUF files`);
  return found.map(({ name, path }) => ({ id: name, source: { path }, load: 'demand' }));
}

async function stop(services: Services, listener: Listener, limits: DrainLimits): Promise<void> {
  await drain(services.state, listener, limits);
  await services.sandbox.close();
  await services.fuel.close();
  await services.text.close();
  await services.models.close();
  await services.tracing?.close();
}
