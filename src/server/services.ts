import type { GenerateText } from '../engine/text-types.ts';
import type { Engine, Sampling } from '../engine/types.ts';
import { RealmError } from '../errors.ts';
import type { Program, Sandbox } from '../sandbox/types.ts';
import type { Logger } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Limits } from '../tenancy/config.ts';
import type { Authenticate, Tenant } from '../tenancy/tenants.ts';
import type { ChatTemplate, Tokenizer } from '../tokenizer/types.ts';
import type { Exchange } from './exchange.ts';

/** A model that requests can name: the engine and the text around it. */
export interface LoadedModel {
  readonly id: string;
  readonly engine: Engine;
  readonly generate: GenerateText;
  readonly tokenizer: Tokenizer;
  readonly template: ChatTemplate;
  /** Used by requests that do not say themselves. */
  readonly defaults: { readonly system?: string; readonly sampling?: Sampling };
  /** When it was loaded, seconds since 1970. */
  readonly created: number;
}

/** Everything that the routes need, given by whoever composes the server. */
export interface Services {
  /** In the order in which programs number them. */
  readonly models: readonly LoadedModel[];
  /** Any model name stands for the first model. */
  readonly anyModelName: boolean;
  readonly sandbox: Sandbox;
  /** The program that answers a tenant's requests. */
  programOf(tenant: Tenant): Program;
  readonly authenticate: Authenticate;
  /** There are no keys: only programs on this machine are answered. */
  readonly localOnly: boolean;
  readonly limits: Limits;
  readonly metricsFor: 'local' | 'public';
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly state: ServerState;
}

/** What changes while a server lives. */
export interface ServerState {
  phase: 'loading' | 'ready' | 'draining';
  /** Requests that are being answered. */
  readonly open: Set<Exchange>;
}

/** The model that a request names and its number; without a name, the only one. */
export function findModel(services: Services, name: string | undefined): { model: LoadedModel; modelId: number } {
  const { models, anyModelName } = services;
  const unnamed = anyModelName || (name === undefined && models.length === 1);
  const modelId = unnamed ? 0 : models.findIndex(model => model.id === name);
  if (modelId >= 0) return { model: models[modelId], modelId };
  const known = models.map(model => model.id).join(', ');
  const problem = name === undefined ? 'is required' : `there is no model ${JSON.stringify(name)}`;
  throw new RealmError(
    name === undefined ? 'invalid_request' : 'model_not_found',
    `model: ${problem}; models here: ${known}`,
    {
      param: 'model',
    },
  );
}
