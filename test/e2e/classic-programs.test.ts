/** Programs of ABI v2 as tenants write them, through the server, on a real model. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { loadModel, type ServedModel } from '../../src/llm/load.ts';
import { LedgerMeter } from '../../src/metering/ledger-meter.ts';
import { createSandbox } from '../../src/sandbox/sandbox.ts';
import type { Sandbox } from '../../src/sandbox/types.ts';
import { metered } from '../../src/server/metered-model.ts';
import { StoredSequences } from '../../src/server/program-host/saved-sequences.ts';
import { ToolBook } from '../../src/server/tools/book.ts';
import { openStore, type Store } from '../../src/store/open.ts';
import { silent } from '../../src/telemetry/log.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import type { ToolConfig } from '../../src/tenancy/config.ts';
import { Directory } from '../../src/tenancy/directory.ts';
import { tenantDefaults } from '../../src/tenancy/tenants.ts';
import { compiled } from '../guest/compiled.ts';
import { post, scripted } from '../server/scripted.ts';
import { modelPath } from './server-process.ts';

let loaded: ServedModel;
let store: Store;
let sandbox: Sandbox;

before(async () => {
  loaded = await loadModel({ source: { path: await modelPath() } }, { context: 2048, threads: 1 });
  store = await openStore('memory');
  sandbox = createSandbox();
});

after(async () => {
  await sandbox?.close();
  await loaded?.engine.close();
  await store?.close();
});

const chat = '/v1/chat/completions';
const tenant = { ...tenantDefaults, id: 'acme', tools: ['calculator'] };

/** What a program answers, and the ledger's rows of its calls. */
async function run(name: string | undefined, body: object, tools: readonly ToolConfig[] = []) {
  const meter = await LedgerMeter.onStore(store, { budgetsOf: () => [], priceOf: () => undefined });
  const program =
    name === undefined ? undefined : await sandbox.load(name, await compiled('assembly', name), { memoryMb: 64 });
  const directory = new Directory();
  const { app } = scripted(
    { answer: () => '' },
    {
      ...{ models: [metered(loaded, meter)], meter, directory },
      ...(program && { sandbox, programOf: () => program }),
      authenticate: () => ({ tenant, keyId: undefined, scopes: ['inference'] }),
      savedSequences: new StoredSequences(store),
      tools: new ToolBook({ tools: () => tools, logger: silent, metrics: createMetrics().tools }),
      limits: { ...scripted({ answer: () => '' }).services.limits, bodyBytes: 100_000 },
    },
  );
  const response = await app.fetch(post(chat, body));
  const json = await response.json();
  await meter.close();
  assert.equal(response.status, 200, JSON.stringify(json));
  const id = response.headers.get('x-request-id')!;
  const rows = await store.db.selectFrom('calls').selectAll().where('request_id', '=', id).orderBy('call').execute();
  const sum = (key: 'input_tokens' | 'output_tokens') => rows.reduce((all, row) => all + row[key], 0);
  const text: string = json.choices[0].message.content;
  return { json, text, rows, input: sum('input_tokens'), output: sum('output_tokens') };
}

const user = (content: string) => ({ messages: [{ role: 'user', content }] });

test('best of eight answers to a long prompt costs one prompt and eight answers', async () => {
  const body = { ...user('The sea is wide. '.repeat(100)), max_tokens: 8, seed: 3 };
  const { rows, input, output, json, text } = await run('best-of-n', body);
  assert.ok(text.length > 0);
  assert.equal(rows.length, 8);
  assert.ok(input > 450 && input < 600, `${input}`);
  assert.equal(rows.filter(({ input_tokens }) => input_tokens > 0).length, 1);
  assert.ok(output <= 64);
  assert.equal(json.usage.prompt_tokens, input);
});

test('drafting by the guest changes nothing of a greedy answer', async () => {
  const body = { ...user('Say "one two three four five six seven" twice.'), max_tokens: 40, temperature: 0 };
  const plain = await run(undefined, body);
  const drafted = await run('draft-by-lookup', body);
  assert.equal(drafted.text, plain.text);
  assert.equal(drafted.input, plain.input);
});

test('an agent calls the operator’s tool', async context => {
  let asked = '';
  const server = createServer(async (request, response) => {
    for await (const chunk of request) asked += chunk;
    response.end('{"result":42}');
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  context.after(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const http = { method: 'POST', headers: {}, timeoutMs: 5000, maxBytes: 1000 };
  const parameters = {
    type: 'object',
    properties: { expression: { type: 'string', maxLength: 20 } },
    required: ['expression'],
  };
  const tools = [{ type: 'function', function: { name: 'calculator', description: 'Reckons.', parameters } }];
  const body = { ...user('What is 6 times 7?'), tools, tool_format: 'hermes', max_tokens: 48, temperature: 0 };
  const { text } = await run('tool-agent', body, [{ name: 'calculator', url, ...http }]);
  assert.ok(text.length > 0);
  // Whatever the model thinks: what it asks fits the tool.
  if (asked !== '') assert.equal(typeof JSON.parse(asked).expression, 'string');
});
