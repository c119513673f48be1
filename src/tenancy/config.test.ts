import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { RealmError } from '../errors.ts';
import { defaultConfig, loadConfig } from './config.ts';
import { createKey } from './keys.ts';
import { defaultRunLimits } from './program-limits.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'realm-config-'));
  await writeFile(join(folder, 'model.gguf'), 'x');
  await writeFile(join(folder, 'shout.wasm'), 'x');
  await writeFile(join(folder, 'lora.gguf'), 'x');
  await writeFile(join(folder, 'chat.jinja'), 'x');
});
after(() => rm(folder, { recursive: true }));

async function load(yaml: string) {
  const path = join(folder, 'realm.yaml');
  await writeFile(path, yaml);
  return loadConfig(path);
}

async function mistakes(yaml: string): Promise<string[]> {
  const error = await load(yaml).then(
    () => assert.fail('accepted'),
    error => error,
  );
  assert.ok(error instanceof RealmError && error.code === 'config_invalid', String(error));
  return error.message
    .split('\n')
    .slice(1)
    .map(line => line.trim());
}

test('a full configuration; paths are relative to the file', async () => {
  const { hash } = createKey('acme');
  const config = await load(`
server: { host: 0.0.0.0, port: 9000, metrics: public, origins: ['https://app.example', 'app://*'], keep_alive_ms: 5, heartbeat_ms: 1000, log: { level: warn, sample: 0.5 }, telemetry: { otlp: 'http://127.0.0.1:4318' }, limits: { body_bytes: 5000, messages: 3, choices: 2, inputs: 7, lame_duck_ms: 50, drain_ms: 100 }, watchdog_ms: 900, brown_out: { waiting: 9, memory_mb: 1, after_ms: 2 }, programs: { workers: 5, processes: 32, memory_mb: 500 }, admin_keys: ["${hash}"], sessions: { path: kept, per_tenant: 3, megabytes_per_tenant: 2 } }
models:
  - { id: small, path: model.gguf, draft: { catalog: smollm2-135m }, context: 512, system: Be brief., shared_prompts: [Be kind.], stream_interval_ms: 0, prefill_ms: 25, first_prefill_ms: 90, sampling: { temperature: 0, top_k: 5 }, chat_template: chat.jinja, tool_format: hermes, device: 'gpu:1', gpu_layers: 20 }
  - { id: other, catalog: smollm2-135m, chat_template: "{{ messages[0].content }}", adapters: [{ id: legal, path: lora.gguf, tenants: [acme] }, { id: chatty, path: lora.gguf }] }
tenants:
  - { id: acme, keys: ["${hash}"], adapter: legal, program: shout.wasm, memory_mb: 16, deadline_ms: 1000, program_limits: { fuel: 5000, runs: 3, saved_bytes: 0 }, queue_ms: 500, max_queued: 7, weight: 2.5, parse_special: true, debug: true, budgets: [{ unit: tokens, limit: 100, period: day }], rate: { tokens_per_minute: 9, concurrent: 2 }, pipelines: [triage], tools: [weather] }
pipelines: [triage.yaml, more]
tools:
  - { name: weather, url: 'https://tools.example/now', headers: { authorization: Bearer x }, input: { type: object } }
  - { name: triage, description: Sorts., pipeline: sort }
`);
  assert.equal(config.host, '0.0.0.0');
  assert.equal(config.port, 9000);
  const { connections, tenantConnections, ...limits } = config.limits;
  assert.deepEqual(limits, { bodyBytes: 5000, messages: 3, choices: 2, inputs: 7, lameDuckMs: 50, drainMs: 100 });
  assert.deepEqual([connections, tenantConnections], [4096, 1024]);
  assert.equal(config.watchdogMs, 900);
  assert.deepEqual(config.brownOut, { waiting: 9, memory: 1e6, afterMs: 2 });
  assert.deepEqual(config.programs, { workers: 5, memoryMb: 500 });
  assert.deepEqual(config.http, { origins: ['https://app.example', 'app://*'], keepAliveMs: 5, heartbeatMs: 1000 });
  assert.deepEqual(config.log, { level: 'warn', sample: 0.5 });
  assert.deepEqual(config.telemetry, { otlp: 'http://127.0.0.1:4318', sample: 1 });
  assert.deepEqual(config.adminKeys, [hash]);
  assert.deepEqual(config.sessions, { path: join(folder, 'kept'), perTenant: 3, bytesPerTenant: 2e6 });
  assert.deepEqual(config.models?.[0]?.draft, { catalog: 'smollm2-135m' });
  assert.deepEqual(config.models?.[0]?.sharedPrompts, ['Be kind.']);
  assert.deepEqual([config.models?.[0]?.device, config.models?.[0]?.gpuLayers], ['gpu:1', 20]);
  assert.equal(config.models?.[0]?.streamMs, 0);
  assert.equal(config.models?.[0]?.prefillMs, 25);
  assert.equal(config.models?.[0]?.firstPrefillMs, 90);
  assert.deepEqual(config.models?.[1]?.adapters, [
    { id: 'legal', path: join(folder, 'lora.gguf'), tenants: ['acme'] },
    { id: 'chatty', path: join(folder, 'lora.gguf') },
  ]);
  assert.deepEqual(config.models?.[0]?.source, { path: join(folder, 'model.gguf') });
  assert.equal(config.models?.[0]?.sampling?.topK, 5);
  assert.equal(config.models?.[0]?.toolFormat, 'hermes');
  assert.deepEqual(config.models?.[0]?.chatTemplate, { path: join(folder, 'chat.jinja') });
  assert.deepEqual(config.models?.[1]?.chatTemplate, { source: '{{ messages[0].content }}' });
  assert.deepEqual(config.models?.[1]?.source, { catalog: 'smollm2-135m' });
  assert.deepEqual(config.pipelines, [join(folder, 'triage.yaml'), join(folder, 'more')]);
  assert.deepEqual(config.tenants, [
    {
      id: 'acme',
      keys: [hash],
      adapter: 'legal',
      program: { path: join(folder, 'shout.wasm') },
      memoryMb: 16,
      deadlineMs: 1000,
      programLimits: { ...defaultRunLimits, fuel: 5000, runs: 3, savedBytes: 0 },
      queueMs: 500,
      maxQueued: 7,
      weight: 2.5,
      parseSpecial: true,
      debug: true,
      budgets: [{ unit: 'tokens', limit: 100, period: 'day' }],
      rate: { requestsPerMinute: undefined, tokensPerMinute: 9, concurrent: 2 },
      pipelines: ['triage'],
      tools: ['weather'],
    },
  ]);
  assert.deepEqual(config.tools, [
    {
      ...{ name: 'weather', url: 'https://tools.example/now', method: 'POST', timeoutMs: 10_000, maxBytes: 1 << 20 },
      ...{ headers: { authorization: 'Bearer x' }, input: { type: 'object' } },
    },
    { name: 'triage', description: 'Sorts.', pipeline: 'sort' },
  ]);
});

test('an empty file is the default configuration', async () => {
  assert.deepEqual(await load(''), { ...defaultConfig(), store: join(folder, 'realm.db') });
  assert.equal(defaultConfig().host, '127.0.0.1');
});

test('tools that are none, or that nobody has', async () => {
  const found = await mistakes(`
tools:
  - { name: a, url: 'ftp://x' }
  - { name: a, url: 'http://x', pipeline: y }
  - { name: b, url: 'http://x', input: { type: nonsense } }
tenants:
  - { id: t, tools: [a, c] }
`);
  assert.ok(
    found.some(line => line.startsWith('tools[0]') && line.includes('http')),
    found.join('\n'),
  );
  assert.ok(found.some(line => line.startsWith('tools[1]')));
  assert.ok(found.includes('tools[1].name: is the same as tools[0].name'));
  assert.ok(found.some(line => line.startsWith('tools[2].input: is no JSON Schema')));
  assert.ok(found.includes('tenants[0].tools[1]: there is no tool c'));
});

test('every mistake is reported at once, by its path', async () => {
  const { hash } = createKey('acme');
  const found = await mistakes(`
server: { port: 70000, prot: 1, limits: { messages: none } }
models:
  - { id: m, path: gone.gguf, adapters: [{ id: m, path: gone.gguf }, { id: x, path: model.gguf, tenants: [nobody, a] }] }
  - { id: m, path: model.gguf, catalog: x, sampling: { temperature: -1 } }
  - { id: n, path: model.gguf, draft: { path: gone.gguf }, speculation: off }
  - { id: o, path: model.gguf, draft: {} }
tenants:
  - { id: a, keys: [plain], adapter: none }
  - { keys: ["${hash}"], program: gone.wasm, deadline_ms: 0 }
  - { id: "a b", keys: ["${hash}"] }
`);
  const paths = found.map(line => line.split(': ')[0]).sort();
  assert.deepEqual(
    paths,
    [
      'models[0].adapters[0].id',
      'models[0].adapters[0].path',
      'models[0].adapters[1].tenants[0]',
      'models[0].path',
      'models[1]',
      'models[1].id',
      'models[1].sampling.temperature',
      'models[2].draft',
      'models[2].draft.path',
      'models[3].draft',
      'server.limits.messages',
      'server.port',
      'server.prot',
      'tenants[0].adapter',
      'tenants[0].keys[0]',
      'tenants[1].deadline_ms',
      'tenants[1].id',
      'tenants[1].program',
      'tenants[2].id',
      'tenants[2].keys[0]',
    ].sort(),
  );
  assert.ok(found.includes('server.port: must be at most 65535'));
  assert.ok(found.includes('server.prot: is not a known key'));
  assert.ok(found.includes('tenants[1].id: is required'));
  assert.ok(found.includes('tenants[2].keys[0]: is the same as tenants[1].keys[0]'));
});

test('what is no mapping, no YAML or no file is refused', async () => {
  assert.deepEqual(await mistakes('just text'), ['must be an object']);
  assert.equal((await mistakes('a: [1')).length > 0, true);
  assert.equal((await mistakes('server: {}\nserver: {}')).length, 1);
  const bomb = ['a: &a0 [x, x]', ...Array.from({ length: 12 }, (_, i) => `a${i}: &a${i + 1} [*a${i}, *a${i}, *a${i}]`)];
  assert.match(String(await mistakes(bomb.join('\n'))), /alias/);
  await assert.rejects(loadConfig(join(folder, 'none.yaml')), { code: 'config_invalid' });
});

test('models and adapters may have names with slashes and colons, tenants may not', async () => {
  const hash = createKey('t').hash;
  const yaml = (tenant: string) => `
models: [{ id: "org/model:Q4", path: model.gguf, adapters: [{ id: "org/style:1", path: lora.gguf }] }]
tenants: [{ id: "${tenant}", keys: ["${hash}"], adapter: "org/style:1" }]
`;
  assert.equal((await load(yaml('t'))).models?.[0]?.id, 'org/model:Q4');
  assert.match(String(await mistakes(yaml('a/b'))), /^tenants\[0\]\.id: must be/);
});

test('models on demand, how long they stay, and their other names', async () => {
  const one = 'id: m, path: model.gguf';
  const { models, modelMemory } = await load(
    `{ server: { memory_mb: 500 }, models: [{ ${one}, load: demand, idle_seconds: 1.5, pinned: true, aliases: [gpt-4o] }] }`,
  );
  const { load: when, idleMs, pinned, aliases } = models![0]!;
  assert.deepEqual([modelMemory, when, idleMs, pinned, aliases], [500e6, 'demand', 1500, true, ['gpt-4o']]);
  assert.deepEqual(await mistakes(`{ models: [{ ${one}, aliases: [a, m] }, { id: a, path: model.gguf }] }`), [
    'models[0].aliases[0]: is the same as models[1].id',
    'models[0].aliases[1]: is the same as models[0].id',
  ]);
  assert.match(String(await mistakes(`{ models: [{ ${one}, load: never }] }`)), /models\[0\]\.load: must be/);
  for (const [field, problem] of [
    ['gpu_layers: -1', /models\[0\]\.gpu_layers: must be an integer from 0 to/],
    ['device: tpu', /models\[0\]\.device: "tpu" is no device/],
  ] as const)
    assert.match(String(await mistakes(`{ models: [{ ${one}, ${field} }] }`)), problem);
});

test('models and adapters come from the folders that the operator names', async () => {
  const one = (path: string) => `
server: { folders: [inside] }
models: [{ id: m, path: ${path}, draft: { path: ${path} }, adapters: [{ id: a, path: ${path} }] }]
tenants: [{ id: t, keys: ["${createKey('t').hash}"], program: shout.wasm }]
`;
  await mkdir(join(folder, 'inside'));
  await writeFile(join(folder, 'inside', 'model.gguf'), 'x');
  await symlink(join(folder, 'model.gguf'), join(folder, 'inside', 'link.gguf'));
  assert.deepEqual((await load(one('inside/model.gguf'))).folders, [join(folder, 'inside')]);
  for (const path of ['model.gguf', 'inside/../model.gguf', 'inside/link.gguf', 'gone.gguf']) {
    const found = await mistakes(one(path));
    assert.deepEqual(
      found.map(line => line.split(': ')[0]),
      ['models[0].path', 'models[0].draft.path', 'models[0].adapters[0].path'],
    );
    for (const line of found) assert.match(line, /lies outside of the folders/);
  }
});

test('an origin is what a browser sends: no path, no default port, no star for a part of the web', async () => {
  for (const good of ['*', 'https://app.example', 'http://localhost:3000', 'tauri://localhost', 'app://*', 'file://']) {
    assert.deepEqual((await load(`server: { origins: ['${good}'] }`)).http.origins, [good]);
  }
  for (const bad of [
    'https://app.example/',
    'https://APP.example',
    'http://*',
    'http://localhost:*',
    'app.example',
    'null',
  ]) {
    const [line] = await mistakes(`server: { origins: ['${bad}'] }`);
    assert.match(line!, /^server\.origins\[0\]: must be "\*"/, bad);
  }
});
