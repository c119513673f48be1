import type { Client } from './client.ts';
import type {
  AuditEntry,
  Budget,
  CreatedKey,
  Key,
  List,
  Live,
  Model,
  OpenRequest,
  PipelineRun,
  Rate,
  Tenant,
  UsageRow,
} from './types.ts';

const at = (...parts: string[]): string => ['/admin/v1', ...parts.map(encodeURIComponent)].join('/');

export interface NewTenant {
  readonly id: string;
  readonly weight?: number | undefined;
  readonly budgets?: readonly Budget[];
  readonly rate?: Rate;
}

/** null takes a field away. */
export interface TenantChange {
  readonly disabled?: boolean;
  readonly weight?: number | null;
  readonly budgets?: readonly Budget[] | null;
  readonly rate?: Rate | null;
}

export interface NewKey {
  readonly name?: string | undefined;
  readonly scopes: readonly string[];
  readonly models?: readonly string[] | undefined;
  readonly expires_at?: string | undefined;
}

export interface UsageQuery {
  readonly tenant?: string | undefined;
  readonly model?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly group_by?: string | undefined;
  readonly detail?: true | undefined;
  readonly limit?: number | undefined;
  /** `next` of the page before. */
  readonly after?: string | undefined;
}

export interface UsagePage {
  readonly rows: readonly UsageRow[];
  readonly next?: string;
}

export type AdminApi = ReturnType<typeof adminApi>;

/** The operator's routes by what they do. */
export function adminApi(client: Client) {
  const list = async <T>(path: string, query = {}, signal?: AbortSignal) =>
    (await client.get<List<T>>(path, query, signal)).data;
  return {
    live: (signal?: AbortSignal) => client.get<Live>(at('live'), {}, signal),

    tenants: (signal?: AbortSignal) => list<Tenant>(at('tenants'), {}, signal),
    tenant: (id: string, signal?: AbortSignal) => client.get<Tenant>(at('tenants', id), {}, signal),
    createTenant: (tenant: NewTenant) => client.send<Tenant>('POST', at('tenants'), tenant),
    changeTenant: (id: string, change: TenantChange) => client.send<Tenant>('PATCH', at('tenants', id), change),
    deleteTenant: (id: string) => client.send('DELETE', at('tenants', id)),

    keys: (tenant: string, signal?: AbortSignal) => list<Key>(at('tenants', tenant, 'keys'), {}, signal),
    createKey: (tenant: string, key: NewKey) => client.send<CreatedKey>('POST', at('tenants', tenant, 'keys'), key),
    rotateKey: (tenant: string, key: string, overlapSeconds: number) =>
      client.send<CreatedKey>('POST', at('tenants', tenant, 'keys', key, 'rotate'), {
        overlap_seconds: overlapSeconds,
      }),
    revokeKey: (tenant: string, key: string, cancel: boolean) =>
      client.send('DELETE', `${at('tenants', tenant, 'keys', key)}${cancel ? '?cancel=true' : ''}`),

    models: (signal?: AbortSignal) => list<Model>(at('models'), {}, signal),
    addModel: (model: { id: string; catalog?: string; path?: string }) => client.send('POST', at('models'), model),
    loadModel: (id: string) => client.send('POST', at('models', id, 'load')),
    unloadModel: (id: string) => client.send('POST', at('models', id, 'unload')),
    changeModel: (id: string, change: Partial<Pick<Model, 'pinned' | 'aliases' | 'idle_seconds'>>) =>
      client.send('PATCH', at('models', id), change),
    removeModel: (id: string) => client.send('DELETE', at('models', id)),
    modelEvents: (signal: AbortSignal) => client.events(at('models', 'events'), undefined, signal),

    usage: (query: UsageQuery, signal?: AbortSignal) => client.get<UsagePage>(at('usage'), { ...query }, signal),
    usageCsv: (query: UsageQuery) => client.getText(at('usage'), { ...query, format: 'csv' }),

    audit: (query: { after?: number; limit?: number }, signal?: AbortSignal) =>
      list<AuditEntry>(at('audit'), query, signal),

    requests: (signal?: AbortSignal) => list<OpenRequest>(at('requests'), {}, signal),
    pipelineRuns: (signal?: AbortSignal) => list<PipelineRun>(at('pipelines', 'runs'), {}, signal),
    pipelineRun: (id: string, signal?: AbortSignal) => client.get<PipelineRun>(at('pipelines', 'runs', id), {}, signal),

    cancelRequest: (id: string) => client.send('DELETE', at('requests', id)),
  };
}
