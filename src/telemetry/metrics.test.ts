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

const noPrograms = { processes: 0, residentBytes: 0, cpuMs: 0 };

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
  const lines = (await metrics.page([model], noPrograms, 3)).split('\n');
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
    'realm_memory_bytes{kind="weights"} 1000',
    'realm_memory_bytes{kind="kv_cache"} 200',
    'realm_sequences_waiting{model="m"} 2',
    'realm_requests_open 3',
  ])
    assert.ok(lines.includes(line), line);
  assert.ok(lines.some(line => line.startsWith('process_resident_memory_bytes ')));
});

test('two servers in a process do not share counters', async () => {
  const [a, b] = [createMetrics(), createMetrics()];
  a.request({ route: '/health', status: 200, durationMs: 1, promptTokens: 0, cachedTokens: 0, completionTokens: 0 });
  assert.ok(!(await b.page([], noPrograms, 0)).includes('route="/health"'));
});
