import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openSessionFolder } from '../../src/llm/session-folder.ts';
import { SessionStore } from '../../src/llm/sessions.ts';
import { post, scripted } from './scripted.ts';

const folder = await mkdtemp(join(tmpdir(), 'realm-sessions-'));
after(() => rm(folder, { recursive: true }));

const script = { answer: () => 'hello' };
let stores = 0;
const storeOf = (perTenant = 2) =>
  new SessionStore({ path: join(folder, String(stores++)), perTenant, bytesPerTenant: 1e6 });
const chat = (fields: object) =>
  post('/v1/chat/completions', { messages: [{ role: 'user', content: 'hi' }], ...fields });

test('a request saves its session, a later one restores it, and its tenant lists and deletes it', async () => {
  const { app, model } = scripted(script, { sessions: storeOf() });
  const saved = await (await app.fetch(chat({ save_session: 'one' }))).json();
  assert.equal(saved.session.id, 'one');
  assert.ok(saved.session.tokens > 0 && saved.session.bytes > 0);
  assert.equal((await app.fetch(chat({ session: 'one' }))).status, 200);
  assert.equal(model.restored.length, 1);
  const { data } = await (await app.fetch(new Request('http://localhost/v1/sessions'))).json();
  assert.deepEqual(
    data.map(({ id }: { id: string }) => id),
    ['one'],
  );
  const remove = () => app.fetch(new Request('http://localhost/v1/sessions/one', { method: 'DELETE' }));
  assert.equal((await remove()).status, 200);
  assert.equal((await remove()).status, 404);
  assert.equal((await app.fetch(chat({ session: 'one' }))).status, 404);
});

test('a streamed answer tells of its session before it ends', async () => {
  const { app } = scripted(script, { sessions: storeOf() });
  const text = await (await app.fetch(chat({ save_session: 'two', stream: true }))).text();
  assert.match(text, /"session":\{"id":"two"/);
});

test('names that are no names, several answers and servers without sessions are refused', async () => {
  const { app } = scripted(script, { sessions: storeOf() });
  for (const bad of ['../x', '', 'a/b', '.hidden', 'x'.repeat(65)]) {
    for (const field of ['session', 'save_session']) {
      const response = await app.fetch(chat({ [field]: bad }));
      assert.deepEqual([response.status, (await response.json()).error.param], [400, field]);
    }
  }
  assert.equal((await app.fetch(chat({ save_session: 'a', n: 2 }))).status, 400);
  const without = scripted(script);
  assert.equal((await without.app.fetch(chat({ session: 'a' }))).status, 400);
});

test('a limit holds when saves come at once, and no answer is lost by it', async () => {
  const { app } = scripted(script, { sessions: storeOf(2) });
  const bodies = await Promise.all(
    ['a', 'b', 'c', 'full'].map(async id => (await app.fetch(chat({ save_session: id }))).json()),
  );
  assert.ok(bodies.every(body => body.choices[0].message.content === 'hello'));
  assert.deepEqual(
    bodies.filter(body => body.session.error).map(body => body.session.error.code),
    ['session_limit', 'session_limit'],
  );
});

test('a tenant may have any name that is one: the seal is no tenant’s folder, and cases are kept apart', async () => {
  const path = join(folder, 'names');
  const model = scripted(script).model;
  const store = new SessionStore({ path, perTenant: 9, bytesPerTenant: 1e6 });
  const tenants = ['key', '.seal', 'acme', 'Acme', 'ACME', 'con', 'a.', 'seal'];
  for (const tenant of tenants) await store.save({ id: 'One', tenant, model }, []);
  for (const tenant of tenants) {
    assert.deepEqual(
      (await store.list(tenant)).map(({ id }) => id),
      ['One'],
      tenant,
    );
    await store.restore({ id: 'One', tenant, model });
    await assert.rejects(store.restore({ id: 'one', tenant, model }), { code: 'session_not_found' });
  }
  const lower = new Set((await readdir(path)).map(file => file.toLowerCase()));
  assert.equal(lower.size, tenants.length + 1);
});

test('a store of before is read, and found again by the next server', async () => {
  const path = join(folder, 'old');
  await mkdir(join(path, 'Acme'), { recursive: true });
  await mkdir(join(path, 'plain'), { recursive: true });
  await writeFile(join(path, 'key'), randomBytes(32));
  const saved = (tenant: string) => JSON.stringify({ tenant, tokens: [] });
  await writeFile(join(path, 'Acme', 'Chat.session'), saved('Acme'));
  await writeFile(join(path, 'plain', 'chat.session'), saved('plain'));
  const { model } = scripted(script);
  for (let i = 0; i < 2; i++) {
    const store = new SessionStore({ path, perTenant: 9, bytesPerTenant: 1e6 });
    assert.deepEqual(
      (await store.list('Acme')).map(({ id }) => id),
      ['Chat'],
    );
    await store.restore({ id: 'Chat', tenant: 'Acme', model });
    await store.restore({ id: 'chat', tenant: 'plain', model });
    await store.save({ id: 'x', tenant: 'key', model }, []);
  }
});

test('the seal of an old store stays the seal', async () => {
  const path = join(folder, 'sealed');
  const seal = randomBytes(32);
  await mkdir(path);
  await writeFile(join(path, 'key'), seal);
  assert.deepEqual(Buffer.from(await openSessionFolder(path)), seal);
  assert.deepEqual(Buffer.from(await openSessionFolder(path)), seal);
});

test('what the system says of files is for the log: clients get a code and no path', async () => {
  const file = join(folder, 'file');
  await writeFile(file, '');
  const sessions = new SessionStore({ path: join(file, 'sessions'), perTenant: 2, bytesPerTenant: 1e6 });
  const { app, lines } = scripted(script, { sessions });
  const ask = [
    chat({ save_session: 'a' }),
    chat({ session: 'a' }),
    new Request('http://localhost/v1/sessions'),
    new Request('http://localhost/v1/sessions/a', { method: 'DELETE' }),
  ];
  for (const request of ask) {
    const text = await (await app.fetch(request)).text();
    assert.match(text, /"session_failed"/);
    assert.match(text, /a part of the path is no folder/);
    assert.doesNotMatch(text, /realm-sessions|ENOTDIR/);
  }
  assert.equal(lines.filter(line => /ENOTDIR/.test(JSON.stringify(line))).length, ask.length);
});
