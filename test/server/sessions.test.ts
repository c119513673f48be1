import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { SessionStore } from '../../src/server/sessions.ts';
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
