import { RealmError } from '../errors.ts';
import type { SessionStore } from '../llm/sessions.ts';
import type { Meter } from '../metering/meter.ts';
import type { ModelId, Program, Sandbox } from '../sandbox/types.ts';
import type { Logger } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { HttpConfig, Limits } from '../tenancy/config.ts';
import type { Authenticate, AuthorizeAdmin, Tenant } from '../tenancy/tenants.ts';
import type { AdapterRegistry, NumberedModel } from './adapters.ts';
import type { Exchange } from './exchange.ts';
import type { MeteredModel } from './metered-model.ts';
import type { ResponseBook } from './responses/book.ts';
import type { TextService } from './text/service.ts';

/** Everything that the routes need, given by whoever composes the server. */
export interface Services {
  /** In the order in which programs number them. */
  readonly models: readonly MeteredModel[];
  readonly adapters: AdapterRegistry;
  /** Decides which calls to engines may be made; `models` ask it. */
  readonly meter: Meter;
  readonly sessions: SessionStore;
  readonly responses: ResponseBook;
  /** Any model name stands for the first model. */
  readonly anyModelName: boolean;
  readonly text: TextService;
  readonly sandbox: Sandbox;
  /** The program that answers a tenant's requests. */
  programOf(tenant: Tenant): Program;
  readonly authenticate: Authenticate;
  readonly authorizeAdmin: AuthorizeAdmin;
  /** There are no keys: only programs on this machine are answered. */
  readonly localOnly: boolean;
  readonly limits: Limits;
  /** Where files of adapters may lie; absent: anywhere. */
  readonly folders?: readonly string[] | undefined;
  readonly http: HttpConfig;
  readonly metricsFor: 'local' | 'public';
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly state: ServerState;
}

/** What changes while a server lives. */
export interface ServerState {
  /** `leaving`: requests are taken as before, but no new ones should be sent; `draining`: none is taken. */
  phase: 'loading' | 'ready' | 'leaving' | 'draining';
  /** Requests that are being answered. */
  readonly open: Set<Exchange>;
}

/** What a request's `model` stands for. */
export interface NamedModel extends NumberedModel {
  /** Of the model or the adapter. */
  readonly name: string;
  readonly adapter?: string | undefined;
}

/** The model that a request names, with the adapter that it names or that is its tenant's. */
export function findModel(services: Services, tenant: Tenant, name: string | undefined): NamedModel {
  const { adapters } = services;
  const named = adapters.find(name, tenant);
  const { model, modelId } = named ?? baseModel(services, name, tenant);
  const adapter = named?.id ?? adapters.ownOf(tenant, modelId);
  return { name: named?.id ?? model.id, model, modelId, adapter };
}

/** The model of that name; without a name, the only one. */
export function baseModel(services: Services, name: string | undefined, tenant?: Tenant): NumberedModel {
  const { models, adapters, anyModelName } = services;
  const unnamed = anyModelName || (name === undefined && models.length === 1);
  const modelId = (unnamed ? 0 : models.findIndex(model => model.id === name)) as ModelId;
  const model = models[modelId];
  if (model) return { model, modelId };
  const known = [...models, ...(tenant ? adapters.visible(tenant) : [])].map(({ id }) => id).join(', ');
  const problem = name === undefined ? 'is required' : `there is no model ${JSON.stringify(name)}`;
  const code = name === undefined ? 'invalid_request' : 'model_not_found';
  throw new RealmError(code, `model: ${problem}; models here: ${known}`, { param: 'model' });
}
