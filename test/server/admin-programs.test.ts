/** Programs that an operator uploads over HTTP, and requests that choose one. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, test } from 'node:test';
import { createSandbox } from '../../src/sandbox/sandbox.ts';
import { createKey, keyIdOf } from '../../src/tenancy/keys.ts';
import { tenantDefaults } from '../../src/tenancy/tenants.ts';
import { admin, administered } from './administration.ts';

const programs = '/admin/v1/programs';
const wasm = { 'content-type': 'application/wasm' };
const [passing, shouting] = await Promise.all(
  ['default', 'shout'].map(name => readFile(new URL(`../../guest/wasm/${name}.wasm`, import.meta.url))),
);

const key = createKey('acme');
const sandbox = createSandbox();
after(() => sandbox.close());

const server = () =>
  administered(
    { answer: () => 'quiet' },
    { tenants: [{ id: 'acme', keys: [key.hash], ...tenantDefaults }] },
    { sandbox },
  );

test('a program is uploaded in versions, answers by its name, and is rolled back', async () => {
  const { ask, close } = await server();
  const said = async (program?: string) => {
    const messages = [{ role: 'user', content: 'Hi' }];
    const { status, body } = await ask('POST', '/v1/chat/completions', { messages, program }, key.key);
    return status === 200 ? body.choices[0].message.content : body.error.code;
  };
  const made = await ask('POST', programs, { name: 'loud', module: shouting!.toString('base64'), note: 'first' });
  assert.equal(made.status, 200, made.text);
  const { digest, created_at, ...rest } = made.body.versions[0];
  assert.match(digest, /^[0-9a-f]{64}$/);
  assert.ok(Date.parse(created_at) > 0);
  const version = { version: 1, size: shouting!.length, note: 'first', created_by: keyIdOf(admin.hash) };
  assert.deepEqual(rest, version);
  assert.deepEqual(
    { ...made.body, versions: 1 },
    { name: 'loud', tenant: null, digest, created_at, ...version, versions: 1 },
  );
  assert.deepEqual([await said(), await said('loud')], ['quiet', 'QUIET']);

  const second = await ask('PUT', `${programs}/loud?note=calmer`, passing, admin.key, wasm);
  assert.deepEqual([second.body.version, second.body.note, second.body.versions.length], [2, 'calmer', 2]);
  assert.deepEqual(
    [await said('loud'), await said('loud@1'), await said('loud@3')],
    ['quiet', 'QUIET', 'program_not_found'],
  );
  const back = await ask('POST', `${programs}/loud/rollback`, { version: 1 });
  assert.deepEqual([back.status, back.body.version], [200, 1]);
  assert.equal(await said('loud'), 'QUIET');
  assert.deepEqual(
    (await ask('GET', programs)).body.data.map((each: { version: number }) => each.version),
    [1],
  );

  const gone = await ask('DELETE', `${programs}/loud?version=2`);
  assert.deepEqual(gone.body, { name: 'loud', tenant: null, version: 2, deleted: true });
  await ask('DELETE', `${programs}/loud`);
  assert.equal(await said('loud'), 'program_not_found');
  assert.deepEqual((await ask('GET', programs)).body.data, []);
  const { data } = (await ask('GET', '/admin/v1/audit')).body;
  assert.deepEqual(
    data.map(({ action, target, detail }: { action: string; target: string; detail: { tenant: null } }) => [
      action,
      target,
      detail.tenant,
    ]),
    ['uploaded', 'uploaded', 'rolled_back', 'deleted', 'deleted'].map(action => [`program.${action}`, 'loud', null]),
  );
  await close();
});

test("every API's requests choose one, and a tenant's own program is chosen by name", async () => {
  const { ask, close } = await server();
  await ask('PUT', `${programs}/loud?tenant=acme`, shouting, admin.key, wasm);
  const chat = { model: 'scripted', messages: [{ role: 'user', content: 'Hi' }], stream: false, max_tokens: 9 };
  for (const [path, body] of [
    ['/v1/chat/completions', chat],
    ['/v1/completions', { prompt: 'Hi' }],
    ['/v1/responses', { input: 'Hi' }],
    ['/v1/messages', chat],
    ['/api/chat', chat],
    ['/api/generate', { model: 'scripted', prompt: 'Hi', stream: false }],
  ] as const) {
    assert.match((await ask('POST', path, { ...body, program: 'loud' }, key.key)).text, /QUIET/, path);
    assert.match((await ask('POST', path, body, key.key)).text, /quiet/, path);
    const missing = await ask('POST', path, { ...body, program: 'none' }, key.key);
    assert.equal(missing.status, 404, path);
    assert.match(missing.text, /program_not_found/, path);
    const wrong = await ask('POST', path, { ...body, program: '../x' }, key.key);
    assert.equal(wrong.status, 400, path);
    assert.match(wrong.text, /program: must be the name of a program/, path);
  }

  const tenants = '/admin/v1/tenants';
  const typo = await ask('POST', tenants, { id: 'beta', program: 'loud' });
  assert.deepEqual([typo.status, typo.body.error.code], [404, 'program_not_found'], "another tenant's is not there");
  assert.equal((await ask('POST', tenants, { id: 'beta', program: 'shout' })).body.program, 'shout');
  const beta = (await ask('POST', `${tenants}/beta/keys`, {})).body.key;
  assert.match((await ask('POST', '/v1/completions', { prompt: 'Hi' }, beta)).text, /QUIET/);
  await ask('PUT', `${programs}/loud?tenant=beta`, shouting, admin.key, wasm);
  await ask('PUT', `${programs}/loud?tenant=beta`, passing, admin.key, wasm);
  assert.equal((await ask('PATCH', `${tenants}/beta`, { program: 'loud@1' })).body.program, 'loud@1');
  assert.match((await ask('POST', '/v1/completions', { prompt: 'Hi' }, beta)).text, /QUIET/);
  await ask('PATCH', `${tenants}/beta`, { program: 'loud' });
  assert.match((await ask('POST', '/v1/completions', { prompt: 'Hi' }, beta)).text, /quiet/);
  assert.equal((await ask('PATCH', `${tenants}/beta`, { program: null })).body.program, null);
  await close();
});

test('what is refused is refused with a code, and nothing is kept', async () => {
  const { ask, close } = await server();
  const empty = new Uint8Array(0);
  const large = new Uint8Array(4 * 2 ** 20 + 1);
  for (const [method, path, body, status, code, param] of [
    ['PUT', '/x', Buffer.from('not a module'), 400, 'program_invalid'],
    ['PUT', '/x', empty, 400, 'program_invalid'],
    ['PUT', '/x', large, 400, 'program_invalid'],
    ['PUT', '/x', new Uint8Array(8 * 2 ** 20), 413, 'body_too_large'],
    ['PUT', '/x.wasm', shouting, 400, 'invalid_request', 'name'],
    ['PUT', '/default', shouting, 409, 'program_exists', 'name'],
    ['PUT', '/x?tenant=nobody', shouting, 404, 'tenant_not_found'],
    ['PUT', `/x?note=${'n'.repeat(1001)}`, shouting, 400, 'invalid_request', 'note'],
    ['PUT', '/x', { module: 'AA*A' }, 400, 'invalid_request', 'module'],
    ['PUT', '/x', { module: 'AAAA', other: 1 }, 400, 'invalid_request', 'other'],
    ['POST', '', { name: 'x' }, 400, 'invalid_request', 'module'],
    ['POST', '', { name: 'x', module: 'AAAA' }, 400, 'program_invalid'],
    ['POST', '/x/rollback', { version: 1 }, 404, 'program_not_found'],
    ['POST', '/x/rollback', { version: 0 }, 400, 'invalid_request', 'version'],
    ['GET', '/x', undefined, 404, 'program_not_found'],
    ['DELETE', '/x', undefined, 404, 'program_not_found'],
    ['DELETE', '/x?version=a', undefined, 400, 'invalid_request', 'version'],
  ] as const) {
    const headers = body instanceof Uint8Array ? wasm : {};
    const answer = await ask(method, programs + path, body, admin.key, headers);
    const { error } = answer.body;
    assert.deepEqual([answer.status, error?.code], [status, code], `${method} ${path} ${answer.text}`);
    if (param !== undefined) assert.equal(error.param, param, path);
  }
  // A tenant does not upload for itself.
  const own = await ask('PUT', `${programs}/x?tenant=acme`, shouting, key.key, wasm);
  assert.deepEqual([own.status, own.body.error.code], [401, 'invalid_api_key']);
  assert.deepEqual((await ask('GET', programs)).body.data, []);
  assert.deepEqual((await ask('GET', `${programs}?tenant=acme`)).body.data, []);
  await close();
});
