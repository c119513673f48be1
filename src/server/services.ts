import { RealmError } from '../errors.ts';
import type { SessionStore } from '../llm/sessions.ts';
import type { FuelBook } from '../metering/fuel-book.ts';
import type { Meter } from '../metering/meter.ts';
import type { UsageReports } from '../metering/reports.ts';
import type { ProgramOperator } from '../programs/operator.ts';
import type { Rates } from '../rates/rates.ts';
import type { Program, Sandbox } from '../sandbox/types.ts';
import type { Logger } from '../telemetry/log.ts';
import type { LogFilter } from '../telemetry/log-filter.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Tracing } from '../telemetry/tracing.ts';
import type { AuditNote } from '../tenancy/audit.ts';
import type { HttpConfig, Limits } from '../tenancy/config.ts';
import type { Directory } from '../tenancy/directory.ts';
import type { Operator } from '../tenancy/operator.ts';
import { type Authenticate, type AuthorizeAdmin, mayUseModel, type Tenant } from '../tenancy/tenants.ts';
import type { AdapterRegistry } from './adapters.ts';
import type { Asking, Exchange } from './exchange.ts';
import type { AnswerBook } from './kept-answers.ts';
import type { MeteredModel } from './metered-model.ts';
import type { ModelRegistry } from './model-registry.ts';
import type { ModelSlot } from './model-slot.ts';
import type { ModelStore } from './model-store.ts';
import type { PipelineBook } from './pipelines/book.ts';
import type { SavedSequences } from './program-host/saved-sequences.ts';
import type { ResponseBook } from './responses/book.ts';
import type { TextService } from './text/service.ts';
import type { ToolBook } from './tools/book.ts';

/** Everything that the routes need, given by whoever composes the server. */
export interface Services {
  readonly models: ModelRegistry;
  readonly adapters: AdapterRegistry;
  /** Decides which calls to engines may be made; `models` ask it. */
  readonly meter: Meter;
  /** How fast requests may come; `meter` asks it of tokens. */
  readonly rates: Rates;
  /** For those who ask the same again. */
  readonly keptAnswers: AnswerBook;
  /** What they have used. */
  readonly usage: Pick<UsageReports, 'of' | 'ofTenant'>;
  /** Where it is written what their programs have computed. */
  readonly fuel: Pick<FuelBook, 'note' | 'close'>;
  readonly sessions: SessionStore;
  readonly responses: ResponseBook;
  readonly pipelines: PipelineBook;
  /** Any model name stands for the first model. */
  readonly anyModelName: boolean;
  readonly text: TextService;
  readonly sandbox: Sandbox;
  /** The program that answers a tenant's request, as it is now; `named`: the request asks for this one. Throws `program_not_found`. */
  programOf(tenant: Tenant, named?: string): Program | Promise<Program>;
  /** What programs keep for their later runs. */
  readonly savedSequences: SavedSequences;
  /** What they may ask of the world outside. */
  readonly tools: ToolBook;
  /** Tenants and keys, as they are now. */
  readonly directory: Directory;
  readonly authenticate: Authenticate;
  readonly authorizeAdmin: AuthorizeAdmin;
  /** What an operator does with tenants and keys, on behalf of whoever has this public id. */
  operator(actor: string): Operator;
  /** The same with programs that are uploaded. */
  programOperator(actor: string): ProgramOperator;
  /** Every action of an operator's is noted here. Throws where it cannot be. */
  readonly audit: { note(note: AuditNote): Promise<void> };
  /** There are no keys: only programs on this machine are answered. */
  readonly localOnly: boolean;
  readonly limits: Limits;
  /** Where files of adapters may lie; absent: anywhere. */
  readonly folders?: readonly string[] | undefined;
  readonly http: HttpConfig;
  readonly metricsFor: 'local' | 'public';
  readonly logger: Logger;
  /** What `logger` goes through. */
  readonly logs: LogFilter;
  readonly metrics: Metrics;
  /** Absent: nobody wants traces. */
  readonly tracing?: Tracing | undefined;
  readonly state: ServerState;
  /** What operators create while the server runs outlives it; absent: nothing does. */
  readonly modelStore?: ModelStore | undefined;
}

/** Where it is written down who changed what. */
export interface Audit {
  note(entry: { actor: string; action: string; target: string; detail?: object }): unknown;
}

/** What changes while a server lives. */
export interface ServerState {
  /** `leaving`: requests are taken as before, but no new ones should be sent; `draining`: none is taken. */
  phase: 'loading' | 'ready' | 'leaving' | 'draining';
  /** Requests that are being answered. */
  readonly open: Set<Exchange>;
}

/** What a request's `model` stands for, loaded or not. */
export interface NamedModel {
  /** Of the model or the adapter. */
  readonly name: string;
  readonly slot: ModelSlot;
  readonly adapter?: string | undefined;
}

/** The same with the model, which stays loaded until the request has ended. */
export interface HeldModel extends NamedModel {
  readonly model: MeteredModel;
}

/** The model that a request names, with the adapter that it names or that is its tenant's. */
export function findModel(services: Services, tenant: Tenant, name: string | undefined): NamedModel {
  const { adapters, models } = services;
  const named = adapters.find(name, tenant);
  // A model's adapters go with it, so that there is one.
  const slot = named ? models.at(named.modelId)! : baseModel(services, name, tenant);
  const adapter = named?.id ?? adapters.ownOf(tenant, slot.modelId);
  return { name: named?.id ?? slot.id, slot, adapter };
}

/** The model of that name; without a name, the only one. */
export function baseModel(services: Services, name: string | undefined, tenant?: Tenant): ModelSlot {
  const { models, adapters, anyModelName } = services;
  const named = name === undefined ? undefined : models.find(name);
  const mayUse = ({ id }: { id: string }) => tenant === undefined || mayUseModel(tenant, id);
  if (named && mayUse(named)) return named;
  const { all } = models;
  const only = anyModelName || (name === undefined && all.length === 1) ? all[0] : undefined;
  if (only && mayUse(only)) return only;
  const known = [...all.filter(mayUse), ...(tenant ? adapters.visible(tenant) : [])].map(({ id }) => id).join(', ');
  const problem = name === undefined ? 'is required' : `there is no model ${JSON.stringify(name)}`;
  const code = name === undefined ? 'invalid_request' : 'model_not_found';
  throw new RealmError(code, `model: ${problem}; models here: ${known}`, { param: 'model' });
}

/** {@link findModel}, and has it loaded. */
export async function takeModel(
  services: Services,
  exchange: Asking,
  tenant: Tenant,
  name: string | undefined,
): Promise<HeldModel> {
  const named = findModel(services, tenant, name);
  return { ...named, model: await holdModel(services, exchange, tenant, named.slot) };
}

/** The model, loaded, for as long as the request lasts. Throws `model_unavailable`, `deadline_exceeded`. */
export async function holdModel(
  { models }: Pick<Services, 'models'>,
  exchange: Asking,
  tenant: Pick<Tenant, 'deadlineMs'>,
  slot: ModelSlot,
): Promise<MeteredModel> {
  const { held } = exchange;
  const known = held.get(slot.modelId);
  if (known) return known;
  const lease = models.take(slot) ?? (await loaded());
  exchange.onEnd(lease.release);
  held.set(slot.modelId, lease.model);
  return lease.model;

  async function loaded() {
    const late = AbortSignal.timeout(tenant.deadlineMs);
    const signal = AbortSignal.any([exchange.signal, late]);
    try {
      return await models.lease(slot, { signal, nested: held.size > 0 });
    } catch (error) {
      exchange.signal.throwIfAborted();
      if (!late.aborted) throw error;
      const message = `The model ${slot.id} was not loaded within the ${tenant.deadlineMs} ms that a request may take`;
      throw new RealmError('deadline_exceeded', message);
    }
  }
}
