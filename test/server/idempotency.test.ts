/** Requests that are sent again with the same `Idempotency-Key`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { RealmError } from '../../src/errors.ts';
import { KeptAnswers } from '../../src/server/kept-answers.ts';
import { seal, unseal } from '../../src/server/seal.ts';
import type { Store } from '../../src/store/open.ts';
import { onEachStore } from '../support/stores.ts';
import { post, type Script, scripted } from './scripted.ts';

const chat = { messages: [{ role: 'user', content: 'a secret question' }], max_tokens: 20 };
const counting = (): Script => {
  let count = 0;
  return { answer: () => `answer ${++count}` };
};

function keyed(store: Store, script: Script, now?: () => number) {
  const keptAnswers = new KeptAnswers(store.db, now);
  const served = scripted(script, { keptAnswers });
  const ask = (key: string, body: unknown = chat, path = '/v1/chat/completions') =>
    served.app.fetch(post(path, body, { headers: { 'idempotency-key': key } }));
  return { ...served, keptAnswers, ask };
}

onEachStore('kept answers', storeTest => {
  storeTest('the same key and body get the same answer, which is made once', async store => {
    const { ask, model } = keyed(store, counting());
    const first = await ask('a');
    const again = await ask('a');
    assert.deepEqual([first.status, again.status], [200, 200]);
    assert.equal(await again.text(), await first.text());
    assert.equal(again.headers.get('content-type'), first.headers.get('content-type'));
    assert.equal(again.headers.get('idempotent-replayed'), 'true');
    assert.equal(first.headers.get('idempotent-replayed'), null);
    assert.equal(again.headers.get('x-original-request-id'), first.headers.get('x-request-id'));
    assert.notEqual(again.headers.get('x-request-id'), first.headers.get('x-request-id'));
    assert.equal(model.requests.length, 1);
    await ask('b');
    assert.equal(model.requests.length, 2);
    const rows = JSON.stringify(await store.db.selectFrom('idempotency_keys').selectAll().execute());
    assert.doesNotMatch(rows, /answer 1|secret question/);
  });

  storeTest('a stream is given again as it was', async store => {
    const { ask, model } = keyed(store, counting());
    const body = { ...chat, stream: true };
    const first = await (await ask('a', body)).text();
    const again = await ask('a', body);
    assert.equal(again.headers.get('content-type'), 'text/event-stream; charset=utf-8');
    assert.equal(await again.text(), first);
    assert.match(first, /\[DONE\]\n\n$/);
    assert.equal(model.requests.length, 1);
  });

  storeTest('another body, or another route, is a conflict', async store => {
    const { ask, model } = keyed(store, counting());
    await ask('a');
    for (const again of [await ask('a', { ...chat, max_tokens: 21 }), await ask('a', chat, '/v1/messages')]) {
      assert.equal(again.status, 409);
      assert.equal(again.headers.get('x-should-retry'), 'false');
      assert.match(JSON.stringify(await again.json()), /idempotency.*used for another request/);
    }
    assert.equal(model.requests.length, 1);
  });

  storeTest('while the first is answered the second is told to wait, and then gets its answer', async store => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { ask, model } = keyed(store, { answer: () => 'slow', pause: () => promise });
    const first = ask('a');
    while (model.requests.length === 0) await sleep(5);
    const second = await ask('a');
    assert.equal(second.status, 409);
    assert.equal(second.headers.get('retry-after'), '1');
    assert.equal((await second.json()).error.code, 'idempotency_key_in_use');
    resolve();
    const text = await (await first).text();
    assert.equal(await (await ask('a')).text(), text);
  });

  storeTest('what failed, was refused or was left is answered anew', async store => {
    let fail = true;
    const script: Script = {
      answer: () => 'a long answer',
      failAfter: { tokens: 3, error: new RealmError('engine_failed', 'no') },
    };
    const { ask, model } = keyed(store, {
      ...script,
      get failAfter() {
        return fail ? script.failAfter! : { tokens: -1, error: new Error() };
      },
    });
    assert.equal((await ask('a')).status, 500);
    const broken = await (await ask('b', { ...chat, stream: true })).text();
    assert.match(broken, /engine_failed/);
    fail = false;
    assert.equal((await ask('a')).status, 200);
    assert.match(await (await ask('b', { ...chat, stream: true })).text(), /\[DONE\]/);
    const left = await ask('c', { ...chat, stream: true });
    await left.body!.cancel();
    await sleep(20);
    assert.match(await (await ask('c', { ...chat, stream: true })).text(), /\[DONE\]/);
    assert.equal((await ask('d', { messages: [] })).status, 400);
    assert.equal((await ask('d')).status, 200);
    assert.equal(model.requests.length, 7);
  });

  storeTest('an answer is kept for a day, and a server that died while it answered holds nobody up', async store => {
    let now = 1e12;
    const clock = () => now;
    const { ask, model, keptAnswers } = keyed(store, counting(), clock);
    const dead = new KeptAnswers(store.db, clock);
    await ask('a');
    now += 23 * 3_600_000;
    await keptAnswers.purge();
    assert.equal((await ask('a')).headers.get('idempotent-replayed'), 'true');
    now += 2 * 3_600_000;
    assert.equal((await ask('a')).headers.get('idempotent-replayed'), null);
    assert.equal(model.requests.length, 2);
    const request = { id: 'x', owner: 'default', digest: 'd' };
    const first = await dead.begin(request);
    assert.equal(first.kind, 'none');
    now += 20_000;
    await dead.renew();
    now += 20_000;
    assert.equal((await keptAnswers.begin(request)).kind, 'running');
    now += 20_000;
    assert.equal((await keptAnswers.begin(request)).kind, 'none');
    // What the dead one says late changes nothing.
    await dead.keep('x', first.kind === 'none' ? first.attempt : '', 'late');
    assert.equal((await keptAnswers.begin(request)).kind, 'running');
    await dead.close();
  });

  storeTest('an owner’s oldest answers make room', async store => {
    let now = 1e12;
    const book = new KeptAnswers(store.db, () => ++now);
    for (let i = 0; i < 70; i++) {
      const earlier = await book.begin({ id: String(i), owner: 'a', digest: '' });
      assert.ok(earlier.kind === 'none');
      await book.keep(String(i), earlier.attempt, 'x'.repeat(1 << 20));
    }
    await book.purge();
    const rows = await store.db.selectFrom('idempotency_keys').select('id').execute();
    assert.deepEqual(
      rows.map(({ id }) => Number(id)).sort((a, b) => a - b),
      Array.from({ length: 64 }, (_, i) => i + 6),
    );
  });

  storeTest('an answer that is too long is not given again, and not made again either', async store => {
    const { keptAnswers, ask, model } = keyed(store, counting());
    const begin = keptAnswers.begin.bind(keptAnswers);
    keptAnswers.begin = async request => {
      const earlier = await begin(request);
      if (earlier.kind === 'none') await keptAnswers.keep(request.id, earlier.attempt, undefined);
      return earlier.kind === 'none' ? begin(request) : earlier;
    };
    const answer = await ask('a');
    assert.equal(answer.status, 409);
    assert.match((await answer.json()).error.message, /too long to be kept/);
    assert.equal(model.requests.length, 0);
  });

  storeTest('a key that is none is refused', async store => {
    const { ask } = keyed(store, counting());
    for (const key of ['', 'a b', 'x'.repeat(256)]) {
      const answer = await ask(key);
      assert.deepEqual([answer.status, (await answer.json()).error.param], [400, 'idempotency-key']);
    }
  });
});

test('only the same secret opens what was sealed', () => {
  const sealed = seal('text', 'secret', 'salt');
  assert.equal(unseal(sealed, 'secret', 'salt'), 'text');
  assert.throws(() => unseal(sealed, 'other', 'salt'));
  assert.throws(() => unseal(sealed, 'secret', 'other'));
});
