import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMetrics } from './metrics.ts';

const model = {
  model: 'm',
  running: 1,
  waiting: 2,
  pagesTotal: 10,
  pagesUsed: 4,
  pagesCached: 1,
  promptTokens: 7,
  draftedTokens: 0,
  acceptedTokens: 0,
  completionTokens: 5,
  steps: 6,
  preemptedSteps: 0,
  memory: { weights: 1000, kvCache: 500, kvTouched: 200, work: 30 },
};

const programs = { processes: 0, runs: 0, waiting: 0, submissions: 0, residentBytes: 0, cpuMs: 0 };
const idle = { models: [], programs, openRequests: 0 };

test('requests and models appear on the page', async () => {
  const metrics = createMetrics();
  const tokens = { promptTokens: 20, cachedTokens: 5, completionTokens: 11 };
  metrics.request({
    route: '/v1/chat/completions',
    status: 200,
    model: 'm',
    durationMs: 1500,
    firstTokenMs: 500,
    ...tokens,
  });
  metrics.request({
    route: '/health',
    status: 200,
    durationMs: 1,
    promptTokens: 0,
    cachedTokens: 0,
    completionTokens: 0,
  });
  const lines = (await metrics.page({ models: [model], programs, openRequests: 3 })).split('\n');
  for (const line of [
    'realm_requests_total{route="/v1/chat/completions",status="200"} 1',
    'realm_requests_total{route="/health",status="200"} 1',
    'realm_tokens_total{model="m",kind="prompt"} 20',
    'realm_tokens_total{model="m",kind="cached"} 5',
    'realm_tokens_total{model="m",kind="completion"} 11',
    'realm_time_to_first_token_seconds_sum{route="/v1/chat/completions"} 0.5',
    'realm_time_per_output_token_seconds_sum{route="/v1/chat/completions"} 0.1',
    'realm_kv_pages_used{model="m"} 4',
    'realm_model_memory_bytes{model="m",kind="weights"} 1000',
    'realm_model_memory_bytes{model="m",kind="kvTouched"} 200',
    'realm_device_memory_bytes{device="cpu"} 1500',
    'realm_memory_bytes{kind="weights"} 1000',
    'realm_memory_bytes{kind="kv_cache"} 200',
    'realm_sequences_waiting{model="m"} 2',
    'realm_requests_open 3',
    'gen_ai_client_token_usage_sum{gen_ai_operation_name="chat",gen_ai_provider_name="realm",gen_ai_request_model="m",gen_ai_token_type="input"} 20',
    'gen_ai_client_token_usage_sum{gen_ai_operation_name="chat",gen_ai_provider_name="realm",gen_ai_request_model="m",gen_ai_token_type="output"} 11',
    'gen_ai_server_request_duration_sum{gen_ai_operation_name="chat",gen_ai_provider_name="realm",gen_ai_request_model="m"} 1.5',
    'gen_ai_server_time_to_first_token_sum{gen_ai_operation_name="chat",gen_ai_provider_name="realm",gen_ai_request_model="m"} 0.5',
    'gen_ai_server_time_per_output_token_sum{gen_ai_operation_name="chat",gen_ai_provider_name="realm",gen_ai_request_model="m"} 0.1',
  ])
    assert.ok(lines.includes(line), line);
  assert.ok(lines.some(line => line.startsWith('process_resident_memory_bytes ')));
});

test('memory is counted on the device that it is of', async () => {
  const memory = { ...model.memory, gpu: 1530 };
  const models = [model, { ...model, model: 'n', device: 'gpu:1', memory }];
  const lines = (await createMetrics().page({ ...idle, models })).split('\n');
  const line = (device: string, bytes: number) => `realm_device_memory_bytes{device="${device}"} ${bytes}`;
  for (const each of [line('cpu', 1500), line('gpu:1', 1530)]) assert.ok(lines.includes(each), each);
});

test('two servers in a process do not share counters', async () => {
  const [a, b] = [createMetrics(), createMetrics()];
  a.request({ route: '/health', status: 200, durationMs: 1, promptTokens: 0, cachedTokens: 0, completionTokens: 0 });
  assert.ok(!(await b.page(idle)).includes('route="/health"'));
});

const answered = { route: '/v1/chat/completions', status: 200, model: 'm', durationMs: 30, firstTokenMs: 10 };
const tokens = { promptTokens: 3, cachedTokens: 1, completionTokens: 2 };

test('the figures of tenants are for the operator alone', async () => {
  const metrics = createMetrics();
  metrics.request({ ...answered, ...tokens, tenant: 'acme' });
  metrics.fuel('acme', 12);
  const none = { promptTokens: 0, cachedTokens: 0, completionTokens: 0 };
  metrics.request({ ...none, route: '/v1/models', status: 429, tenant: 'acme', code: 'queue_full', durationMs: 1 });
  const server = { ...idle, models: [{ ...model, tenants: [{ tenant: 'acme', running: 2, waiting: 1 }] }] };
  assert.ok(!(await metrics.page(server)).includes('acme'));
  const page = await metrics.page(server, { operator: true });
  for (const line of [
    'realm_errors_total{code="queue_full"} 1',
    'realm_tenant_requests_total{tenant="acme"} 2',
    'realm_tenant_errors_total{tenant="acme",code="queue_full"} 1',
    'realm_tenant_tokens_total{tenant="acme",kind="cached"} 1',
    'realm_tenant_time_to_first_token_seconds_count{tenant="acme"} 1',
    'realm_tenant_sequences_running{tenant="acme"} 2',
    'realm_tenant_sequences_waiting{tenant="acme"} 1',
    'realm_tenant_program_fuel_total{tenant="acme"} 12',
    'realm_program_fuel_total 12',
  ])
    assert.ok(page.split('\n').includes(line), line);
  const later = await metrics.page(idle, { operator: true });
  assert.ok(!later.includes('realm_tenant_sequences_running{'), 'a tenant without requests has no gauges');
  assert.ok(!later.includes('realm_kv_pages{'), 'a model that is gone has none either');
});

/** Lines that are samples. */
const series = (page: string) => page.split('\n').filter(line => /^[a-z]/.test(line)).length;

test('100,000 names of models and tenants have few time series, and the page is quick', async () => {
  const metrics = createMetrics();
  for (let i = 0; i < 100_000; i++) {
    metrics.request({ ...answered, ...tokens, model: `junk-${i}`, tenant: `tenant-${i}` });
    metrics.text({ job: 'chat', model: `junk-${i}`, ms: 1 });
  }
  const page = await metrics.page(idle, { operator: true });
  assert.ok(page.includes('realm_tenant_requests_total{tenant="other"} 99800'));
  assert.ok(series(page) < 200 * 120, `${series(page)} time series`);
});
