/** Pipelines of `realm.yaml` in whole servers: a small model, the real sandbox, the ledger. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeSynthetic } from '../../scripts/synthetic/model.ts';
import { RealmError } from '../../src/errors.ts';
import { startServer } from '../../src/server/start.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { createKey } from '../../src/tenancy/keys.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'realm-pipelines-'));
  writeSynthetic(join(folder, 'model.gguf'), {
    with: { width: 64, heads: 4, kvHeads: 2, ffn: 96, vocab: 400, layers: 1 },
  });
});
after(() => rm(folder, { recursive: true }));

const { key, hash } = createKey('acme');
const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };

const say = (name: string, text: string) =>
  `pipeline: ${name}\nsteps:\n  - { id: it, template: "${text}" }\noutput: it\n`;
const twice = `
pipeline: twice
steps:
  - { id: one, model: small, completion: "Hello", max_tokens: 4, temperature: 0 }
  - { id: two, model: small, completion: "{{ one }}, again", max_tokens: 4, temperature: 0 }
output: two
`;

/** A folder of its own with these files, and the server that reads them. */
async function start(name: string, files: Record<string, string | Uint8Array>, tenant: object = {}, rest: object = {}) {
  const base = join(folder, name);
  await mkdir(join(base, 'pipelines'), { recursive: true });
  for (const [file, text] of Object.entries(files)) await writeFile(join(base, 'pipelines', file), text);
  const write = (more: object) =>
    writeFile(
      join(base, 'realm.yaml'),
      JSON.stringify({
        server: { port: 0 },
        models: [{ id: 'small', path: '../model.gguf', context: 256 }],
        tenants: [{ id: 'acme', keys: [hash], ...tenant }],
        pipelines: 'pipelines',
        ...more,
      }),
    );
  await write(rest);
  const lines: Record<string, unknown>[] = [];
  const logger = createLogger({ format: 'json', write: line => lines.push(JSON.parse(line)) });
  const server = await startServer({ configPath: join(base, 'realm.yaml'), threads: 1, logger });
  const ask = async (pipeline: string, input: unknown = null) => {
    const answer = await fetch(`${server.url}/v1/pipelines/${pipeline}`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ input }),
    });
    return { status: answer.status, ...(await answer.json()) };
  };
  return { server, lines, ask, write, base };
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 200; i++) {
    if (await holds()) return;
    await sleep(50);
  }
  assert.fail(`waited in vain until ${what}`);
}

test('files that change are read again: all of them, or none where there is a mistake', async () => {
  const { server, lines, ask, base } = await start('reload', { 'a.yaml': say('a', 'before'), 'b.yml': say('b', 'b') });
  const file = (name: string) => join(base, 'pipelines', name);
  try {
    assert.equal((await ask('a')).output, 'before');
    await writeFile(file('a.yaml'), say('a', 'after'));
    await until('a is the new one', async () => (await ask('a')).output === 'after');
    assert.equal(lines.findLast(({ message }) => message === 'configuration read again')?.changed, 'pipelines[a]');

    await writeFile(file('a.yaml'), say('a', 'later'));
    await writeFile(file('c.json'), `${say('c', 'c')}mistake: 1\n`);
    await until('the mistake is logged', () => lines.some(({ problem }) => /c\.json:5:1: /.test(String(problem))));
    assert.equal((await ask('a')).output, 'after');
    assert.equal((await ask('c')).status, 404);

    await writeFile(file('c.json'), say('c', 'c'));
    await until('c is there', async () => (await ask('c')).output === 'c');
    assert.equal((await ask('a')).output, 'later');
    await rm(file('b.yml'));
    await until('b is gone', async () => (await ask('b')).status === 404);
  } finally {
    await server.close();
  }
});

async function mistakes(
  name: string,
  files: Record<string, string>,
  tenant: object = {},
  rest: object = {},
): Promise<string[]> {
  const error = await start(name, files, tenant, rest).then(
    ({ server }) => server.close().then(() => assert.fail('started')),
    error => error,
  );
  assert.ok(error instanceof RealmError, String(error));
  return error.message.split('\n').map(line => line.replace(`${folder}/${name}/pipelines/`, '').trim());
}

test('a server does not start with mistakes, and names each with file and line', async () => {
  const names = `pipeline: names
steps:
  - id: asks
    model: smal
    prompt: Hi
  - { id: calls, tool: gone }
  - { id: runs, wasm: gone.wasm }
output: asks
`;
  const found = await mistakes('wrong', { 'a.yaml': say('a', '{{ who }}'), 'b.yaml': say('a', ''), 'n.yaml': names });
  assert.match(found[0]!, /4 mistakes/);
  assert.match(found[1]!, /^a\.yaml:3:\d+: .*who/);
  assert.match(found[2]!, /^n\.yaml:4: there is no model 'smal'; did you mean 'small'\?$/);
  assert.match(found[3]!, /^n\.yaml:6: there is no tool 'gone'/);
  assert.match(found[4]!, /^n\.yaml:7: there is no file .*gone\.wasm$/);
  const twins = await mistakes('twins', { 'a.yaml': say('a', 'x'), 'b.yaml': say('a', 'y') });
  assert.match(twins[1]!, /^b\.yaml:1: .*a\.yaml is a pipeline of that name too$/);
  const unknown = await mistakes('unknown', { 'a.yaml': say('a', 'x') }, { pipelines: ['a', 'b'] });
  assert.match(unknown[0]!, /tenants\[0\]\.pipelines\[1\]: there is no pipeline b/);
});

test('the ledger has each step, and a budget ends a run in the middle', async () => {
  const budgets = [{ unit: 'tokens', limit: 12, period: 'day' }];
  const { server, ask } = await start('ledger', { 'twice.yaml': twice }, { budgets });
  try {
    const answer = await ask('twice');
    assert.deepEqual([answer.status, answer.error.code, answer.error.param], [429, 'insufficient_quota', 'two']);
    const get = async (path: string) => (await fetch(server.url + path, { headers })).json();
    const { prompt_tokens, completion_tokens } = (await get('/v1/pipelines/runs')).data[0].usage;
    assert.ok(prompt_tokens > 0 && completion_tokens === 4, `${prompt_tokens} ${completion_tokens}`);
    const { requests, input_tokens, output_tokens } = await get('/v1/usage');
    assert.deepEqual([requests, input_tokens, output_tokens], [1, prompt_tokens, completion_tokens]);
  } finally {
    await server.close();
  }
});

test('a tool is a pipeline, for the tenants that have it', async () => {
  const inner = 'pipeline: inner\nsteps:\n  - { id: it, template: "<{{ input }}>" }\noutput: it\n';
  const outer = 'pipeline: outer\nsteps:\n  - { id: it, tool: quote, input: \'"x"\' }\noutput: it\n';
  const more = { tools: [{ name: 'quote', pipeline: 'inner' }] };
  const files = { 'inner.yaml': inner, 'outer.yaml': outer };
  const { server, ask } = await start('tool', files, { tools: ['quote'], pipelines: ['outer'] }, more);
  try {
    assert.equal((await ask('outer')).output, '<x>');
    assert.equal((await ask('inner')).status, 404);
  } finally {
    await server.close();
  }
  const gone = await mistakes('no-tool', { 'inner.yaml': inner }, {}, { tools: [{ name: 'quote', pipeline: 'gone' }] });
  assert.match(gone[0]!, /tools\[0\]\.pipeline: there is no pipeline gone/);
});

test('a step runs the program beside its pipeline', async () => {
  const shout = new Uint8Array(await readFile('guest/wasm/shout.wasm'));
  const loud = `pipeline: loud\nsteps:\n  - { id: it, wasm: shout.wasm, input: input }\noutput: it\n`;
  const { server, ask } = await start('program', { 'loud.yaml': loud, 'shout.wasm': shout });
  try {
    const { output, status, steps } = await ask('loud', 'hello');
    assert.equal(status, 200);
    assert.equal(output, output.toUpperCase());
    assert.equal(steps[0].target, 'shout.wasm');
    assert.ok(steps[0].usage.completion_tokens > 0);
  } finally {
    await server.close();
  }
});
