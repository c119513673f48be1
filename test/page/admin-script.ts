/** The admin API as the page asks it, with state in memory: what is changed is seen. */
import { Hono } from 'hono';
import type {
  AuditEntry,
  Key,
  Live,
  Model,
  OpenRequest,
  PipelineRun,
  PipelineStep,
  Tenant,
} from '../../src/page/api/types.ts';

export const adminKey = 'rk_admin_canary';
export const shownKey = 'rk_shown_once_canary';

export interface AdminState {
  tenants: Tenant[];
  keys: Key[];
  models: Model[];
  requests: OpenRequest[];
  audit: AuditEntry[];
  /** Each change as `METHOD path body`. */
  changes: string[];
  /** Requests without the key. */
  refused: number;
  /** The queries for usage. */
  asked: string[];
}

const at = '2026-11-26T10:00:00.000Z';

export function newState(): AdminState {
  return {
    tenants: [
      {
        id: 'acme',
        source: 'file',
        disabled: false,
        weight: 2,
        budgets: [{ unit: 'tokens', period: 'month', limit: 1_000_000, spent: 250_000 }],
        rate: { requests_per_minute: 60 },
      },
      { id: 'zeta', source: 'store', disabled: false, budgets: [] },
    ],
    keys: [{ id: 'key_aaaaaaaaaaaa', name: 'ci', scopes: ['inference'], created_at: at, revoked_at: null }],
    models: [
      {
        ...{ id: 'small', state: 'ready', memory_bytes: 98_000_000, running: 1, waiting: 0, leases: 1, loaded_at: at },
        local_page: '/local/?model=%2Fmodel.gguf&load=',
      },
      { id: 'large', state: 'unloaded', pinned: false, aliases: ['big'] },
      { id: 'broken', state: 'failed', error: { code: 'gguf_invalid', message: 'The file is no GGUF' } },
      { id: 'coming', state: 'loading', progress: { loaded: 40, total: 100 } },
    ],
    requests: [
      { id: 'req_1', tenant: 'acme', key_id: 'key_aaaaaaaaaaaa', model: 'small', state: 'running', created_at: at },
      { id: 'req_2', tenant: 'zeta', model: 'small', state: 'waiting', created_at: at, prompt_tokens: 12 },
    ],
    audit: Array.from({ length: 60 }, (_, i) => ({
      seq: i + 1,
      at,
      actor: 'key_aaaaaaaaaaaa',
      action: 'tenant.change',
      target: 'acme',
      detail: { weight: i },
      hash: 'ab'.repeat(32),
    })),
    changes: [],
    refused: 0,
    asked: [],
  };
}

const failed = { code: 'engine_failed', message: 'The engine was lost' };
const usage = { prompt_tokens: 40, completion_tokens: 8 };
const run: PipelineRun = {
  id: 'run_1',
  pipeline: 'triage',
  tenant: 'acme',
  state: 'failed',
  created_at: at,
  ms: 1500,
  usage,
  error: { code: 'pipeline_failed', message: 'the step each[1].fix failed' },
};
const steps: PipelineStep[] = [
  { step: 'kind', kind: 'model', target: 'small', state: 'complete', at_ms: 0, ms: 500, retries: 0, usage },
  { step: 'parts', kind: 'wasm', target: 'split.wasm', state: 'skipped', at_ms: 500, ms: 0, retries: 0 },
  { step: 'each[0].fix', kind: 'model', target: 'big', state: 'cancelled', at_ms: 500, ms: 1000, retries: 0 },
  {
    step: 'each[1].fix',
    kind: 'model',
    target: 'big',
    state: 'failed',
    at_ms: 500,
    ms: 900,
    retries: 2,
    error: failed,
  },
  { step: 'last', kind: 'template', target: null, state: 'running', at_ms: 1400, ms: null, retries: 0 },
];

function live(): Live {
  const tenant = (id: string, speed: number, running: number) => ({
    id,
    running,
    waiting: 3,
    share: running / 3,
    tokens_per_second: speed,
    first_token_ms: { p50: 120, p95: 1400 },
    cached_share: 0.5,
    budgets: [{ unit: 'tokens' as const, period: 'day' as const, limit: 1000, spent: 900 }],
  });
  return { tenants: [tenant('acme', 40 + 10 * Math.random(), 2), tenant('zeta', 12, 1)] };
}

const refusal = (code: string, message: string) => ({ error: { message, type: 'invalid_request_error', code } });

export function adminRoutes(state: AdminState, keyed: boolean): Hono {
  const app = new Hono().basePath('/admin/v1');
  app.use(async (context, next) => {
    if (keyed && context.req.header('authorization') !== `Bearer ${adminKey}`) {
      state.refused++;
      return context.json(refusal('invalid_api_key', 'This wants the key of an administrator'), 401);
    }
    if (context.req.method !== 'GET') {
      const { pathname, search } = new URL(context.req.url);
      state.changes.push(`${context.req.method} ${pathname}${search} ${await context.req.raw.clone().text()}`.trim());
    }
    return next();
  });
  tenantRoutes(app, state);
  modelRoutes(app, state);
  app.get('/live', context => context.json(live()));
  app.get('/requests', context => context.json({ data: state.requests }));
  app.delete('/requests/:id', context => {
    state.requests = state.requests.filter(({ id }) => id !== context.req.param('id'));
    return context.json({});
  });
  app.get('/pipelines/runs', context => context.json({ data: [run] }));
  app.get('/pipelines/runs/:id', context => context.json({ ...run, steps }));
  app.get('/audit', context => {
    const after = Number(context.req.query('after') ?? 0);
    const limit = Number(context.req.query('limit') ?? 100);
    return context.json({ data: state.audit.filter(({ seq }) => seq > after).slice(0, limit) });
  });
  app.get('/usage', context => {
    state.asked.push(new URL(context.req.url).search);
    if (context.req.query('format') === 'csv') return context.text('tenant,input_tokens\nacme,12\n');
    const call = (request_id: string) => ({ request_id, call: 0, model: 'small', status: 'complete', at, cost: null });
    if (context.req.query('after')) return context.json({ rows: [call('req_8')] });
    if (context.req.query('detail')) return context.json({ rows: [call('req_9')], next: 'page2' });
    return context.json({ rows: [{ tenant: 'acme', model: 'small', requests: 3, input_tokens: 1234 }] });
  });
  return app;
}

function tenantRoutes(app: Hono, state: AdminState): void {
  const find = (id: string) => state.tenants.find(tenant => tenant.id === id);
  app.get('/tenants', context => context.json({ data: state.tenants }));
  app.post('/tenants', async context => {
    const body = await context.req.json();
    if (find(body.id)) return context.json(refusal('tenant_exists', 'There is a tenant of that id'), 409);
    state.tenants.push({ source: 'store', ...body });
    return context.json(body, 201);
  });
  app.get('/tenants/:id', context => {
    const tenant = find(context.req.param('id'));
    return tenant ? context.json(tenant) : context.json(refusal('tenant_not_found', 'There is no such tenant'), 404);
  });
  app.patch('/tenants/:id', async context => {
    Object.assign(find(context.req.param('id'))!, await context.req.json());
    return context.json({});
  });
  app.delete('/tenants/:id', context => {
    state.tenants = state.tenants.filter(({ id }) => id !== context.req.param('id'));
    return context.json({});
  });
  app.get('/tenants/:id/keys', context => context.json({ data: state.keys }));
  app.post('/tenants/:id/keys', async context => {
    const created = { id: 'key_bbbbbbbbbbbb', created_at: at, ...(await context.req.json()) };
    state.keys.push(created);
    return context.json({ ...created, key: shownKey });
  });
  app.post('/tenants/:id/keys/:key/rotate', context => {
    const created = { id: 'key_cccccccccccc', name: 'ci', created_at: at };
    state.keys.push(created);
    return context.json({ ...created, key: shownKey });
  });
  app.delete('/tenants/:id/keys/:key', context => {
    state.keys = state.keys.map(key => (key.id === context.req.param('key') ? { ...key, revoked_at: at } : key));
    return context.json({});
  });
}

function modelRoutes(app: Hono, state: AdminState): void {
  const change = (id: string, fields: Partial<Model>) => {
    state.models = state.models.map(model => (model.id === id ? { ...model, ...fields } : model));
  };
  app.get('/models', context => context.json({ data: state.models }));
  app.post('/models', async context => {
    state.models.push({ ...(await context.req.json()), state: 'unloaded', source: 'store' });
    return context.json({});
  });
  app.post('/models/:id/load', context => {
    change(context.req.param('id'), { state: 'ready' });
    return context.json({});
  });
  app.post('/models/:id/unload', context => {
    change(context.req.param('id'), { state: 'unloaded' });
    return context.json({});
  });
  app.delete('/models/:id', context => {
    state.models = state.models.filter(({ id }) => id !== context.req.param('id'));
    return context.json({});
  });
  app.patch('/models/:id', async context => {
    change(context.req.param('id'), await context.req.json());
    return context.json({});
  });
}
