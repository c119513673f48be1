import { SessionStore } from '../llm/sessions.ts';
import type { BudgetSource } from '../metering/budgets.ts';
import { FuelBook } from '../metering/fuel-book.ts';
import { LedgerMeter } from '../metering/ledger-meter.ts';
import { tellCrossings } from '../metering/outbox.ts';
import { UsageReports } from '../metering/reports.ts';
import type { ProgramLibrary } from '../programs/library.ts';
import { StoreProgramOperator } from '../programs/operator.ts';
import type { ProgramStore } from '../programs/program-store.ts';
import { withRates } from '../rates/meter.ts';
import type { RateOf } from '../rates/rate.ts';
import type { Rates } from '../rates/rates.ts';
import type { Sandbox } from '../sandbox/types.ts';
import type { Store } from '../store/open.ts';
import { watched } from '../telemetry/live.ts';
import type { LogFilter } from '../telemetry/log-filter.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Tracing } from '../telemetry/tracing.ts';
import type { Administration } from '../tenancy/administration.ts';
import type { Directory } from '../tenancy/directory.ts';
import { AdapterRegistry } from './adapters.ts';
import { KeptAnswers } from './kept-answers.ts';
import { type LoaderOptions, logModels, modelLoader } from './model-loader.ts';
import { ModelMemory } from './model-memory.ts';
import { ModelRegistry } from './model-registry.ts';
import type { ModelStore } from './model-store.ts';
import { PipelineBook } from './pipelines/book.ts';
import { runAsTool } from './pipelines/tool.ts';
import { StoredSequences } from './program-host/saved-sequences.ts';
import type { Live } from './reload.ts';
import { ResponseBook } from './responses/book.ts';
import { MemoryResponseStore } from './responses/store.ts';
import type { Services } from './services.ts';
import { supervision } from './supervise.ts';
import { TextService } from './text/service.ts';
import { ToolBook } from './tools/book.ts';

/** What is opened before the services, and closed after them. */
export interface Parts {
  ledger: LedgerMeter;
  modelStore: ModelStore;
  programs: ProgramLibrary;
  programStore: ProgramStore;
  sandbox: Sandbox;
  administration: Administration;
  store: Store;
  rates: Rates;
  metrics: Metrics;
  logs: LogFilter;
  tracing: Tracing | undefined;
}

/** Everything that the routes need. What can change while the server runs is read from `live` each time. */
export function compose(
  live: Live,
  options: LoaderOptions & { readonly model?: string | undefined },
  parts: Parts,
): Services {
  const { config } = live;
  const { directory, audit } = parts.administration;
  const { rates, metrics, ledger } = parts;
  const logger = parts.logs;
  const meter = watched(withRates(ledger, rates), metrics.live);
  const text = new TextService({ bodyBytes: config.limits.bodyBytes, observe: metrics.text });
  const adapters = new AdapterRegistry({ find: name => models.find(name), at: modelId => models.at(modelId) });
  const loader = modelLoader(
    { adapters, logger, meter, text },
    {
      ...options,
      supervision: (model, onRestarted) => supervision(model, config, logger, onRestarted),
    },
  );
  const models = new ModelRegistry({
    loader,
    memory: new ModelMemory(config.modelMemory),
    isTaken: name => adapters.isTaken(name),
  });
  logModels({ models, logger });
  const tools = new ToolBook({
    tools: () => live.config.tools,
    logger,
    metrics: metrics.tools,
    pipeline: call => runAsTool(services, call),
  });
  const services: Services = {
    models,
    modelStore: parts.modelStore,
    adapters,
    meter,
    rates,
    keptAnswers: new KeptAnswers(parts.store.db),
    usage: new UsageReports(parts.store),
    fuel: new FuelBook(parts.store.db),
    sessions: new SessionStore(config.sessions),
    responses: new ResponseBook(new MemoryResponseStore(config.responses), new MemoryResponseStore(config.responses)),
    pipelines: new PipelineBook({
      programs: { named: (tenant, name) => parts.programs.of(tenant, name) },
      tools,
    }),
    anyModelName: config.models === undefined || options.model !== undefined,
    text,
    sandbox: parts.sandbox,
    savedSequences: new StoredSequences(parts.store),
    tools,
    programOf: (tenant, named) => parts.programs.of(tenant, named),
    directory,
    authenticate: directory.authenticate,
    authorizeAdmin: directory.authorizeAdmin,
    operator: actor => parts.administration.operator(actor),
    programOperator: actor => {
      const tenant = (id: string) => parts.administration.operator(actor).tenant(id);
      return new StoreProgramOperator({ actor, store: parts.programStore, sandbox: parts.sandbox, tenant });
    },
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
  return services;
}

/** Budgets and prices as tenants, keys and models have them now. */
export function openMeter(store: Store, live: Live, directory: Directory): Promise<LedgerMeter> {
  const budgetsOf: BudgetSource = (tenant, keyId) => {
    const own = directory.tenant(tenant)?.budgets ?? [];
    const ofKey = (keyId !== undefined && directory.principalOf(keyId)?.budgets) || [];
    return ofKey.length === 0 ? own : [...own, ...ofKey.map(budget => ({ ...budget, key: keyId }))];
  };
  const priceOf = (model: string) => live.config.models?.find(({ id }) => id === model)?.price;
  return LedgerMeter.onStore(store, { budgetsOf, priceOf, onSpent: tellCrossings });
}

/** Of tenants and keys as they are now. */
export function rateOf(directory: Directory): RateOf {
  return ({ tenant, keyId }) => ({
    tenant: directory.tenant(tenant)?.rate,
    key: keyId === undefined ? undefined : directory.principalOf(keyId)?.rate,
  });
}
