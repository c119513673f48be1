/** What the operator's programs are told of budgets. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { addToOutbox, tellCrossings } from '../../src/metering/outbox.ts';
import { Outbox } from '../../src/server/outbox.ts';
import { signature } from '../../src/server/webhook.ts';
import type { Store } from '../../src/store/open.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { onEachStore } from '../support/stores.ts';

interface Told {
  readonly id: string;
  readonly type: string;
  readonly data: Record<string, unknown>;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A program that is told; each status is that of one answer, 200 those of the rest. */
async function listener(statuses: readonly number[] = []) {
  const told: Told[] = [];
  let count = 0;
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const piece of request) body += piece;
    const { type, data } = JSON.parse(body);
    const status = statuses[count++] ?? 200;
    if (status === 200)
      told.push({ id: String(request.headers['webhook-id']), type, data, headers: request.headers, body });
    response.writeHead(status, { location: '/elsewhere' }).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
  return { url, told, asked: () => count, close: () => server.close() };
}

const secret = 'a secret of the operator';

function deliverer(store: Store, urls: readonly string[]) {
  const lines: Record<string, unknown>[] = [];
  const logger = createLogger({ format: 'json', write: line => lines.push(JSON.parse(line)) });
  const webhooks = urls.map(url => ({ url, secret }));
  return { lines, outbox: new Outbox(store, webhooks, { logger, pollMs: 20, backOffMs: 30 }) };
}

const add = (store: Store, id: string) =>
  store.db.transaction().execute(trx => addToOutbox(trx, { id, type: 'test', data: { id } }));

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !condition(); i++) await sleep(10);
  assert.ok(condition());
}

onEachStore('outbox', storeTest => {
  storeTest('an event is told once it is committed, signed, and again until it was heard', async store => {
    const hook = await listener([500, 302, 404]);
    const { outbox, lines } = deliverer(store, [hook.url]);
    await assert.rejects(
      store.db.transaction().execute(async trx => {
        await addToOutbox(trx, { id: 'undone', type: 'test', data: {} });
        throw new Error('no');
      }),
    );
    await add(store, 'event-1');
    await until(() => hook.told.length > 0);
    await sleep(100);
    await outbox.close();
    hook.close();
    assert.deepEqual(
      hook.told.map(({ id }) => id),
      ['event-1'],
    );
    const { headers, body, data } = hook.told[0]!;
    assert.deepEqual(data, { id: 'event-1' });
    const timestamp = String(headers['webhook-timestamp']);
    assert.ok(Math.abs(Date.now() / 1000 - Number(timestamp)) < 20);
    const expected = createHmac('sha256', secret).update(`event-1.${timestamp}.${body}`).digest('base64');
    assert.equal(headers['webhook-signature'], `v1,${expected}`);
    assert.equal(lines.filter(({ message }) => message === 'webhook failed').length, 3);
    assert.doesNotMatch(JSON.stringify(lines), /secret|\/hook/);
  });

  storeTest('each webhook is told, and only those that have not heard are told again', async store => {
    const [good, bad] = [await listener(), await listener([500, 500])];
    const { outbox } = deliverer(store, [good.url, bad.url]);
    await add(store, 'a');
    await until(() => bad.told.length > 0);
    await outbox.close();
    assert.deepEqual([good.asked(), bad.asked()], [1, 3]);
    good.close();
    bad.close();
  });

  storeTest('several servers tell an event once', async store => {
    const hook = await listener();
    const outboxes = [1, 2, 3].map(() => deliverer(store, [hook.url]).outbox);
    for (let i = 0; i < 50; i++) await add(store, `event-${i}`);
    await until(() => hook.told.length >= 50);
    await sleep(100);
    await Promise.all(outboxes.map(outbox => outbox.close()));
    hook.close();
    assert.equal(new Set(hook.told.map(({ id }) => id)).size, 50);
    assert.equal(hook.told.length, 50);
  });

  storeTest('what was not told before a restart is told after it', async store => {
    const gone = await listener();
    gone.close();
    const first = deliverer(store, [gone.url]);
    await add(store, 'a');
    await until(() => first.lines.length > 0);
    await first.outbox.close();
    const hook = await listener();
    const second = deliverer(store, [hook.url]);
    await until(() => hook.told.length === 1);
    await second.outbox.close();
    hook.close();
  });

  storeTest('a budget’s marks are told once for each period', async store => {
    const budget = { tenant: 'acme', unit: 'tokens', period: '2026-11', limit: 100 };
    const hook = await listener();
    const { outbox } = deliverer(store, [hook.url]);
    const spend = (before: number, after: number, period = budget.period) =>
      store.db.transaction().execute(trx => tellCrossings(trx, { ...budget, period }, before, after));
    await spend(0, 79);
    await spend(79, 80);
    await spend(80, 99);
    await until(() => hook.told.length === 1);
    await spend(79, 99);
    await spend(99, 100);
    await spend(0, 100, '2026-12');
    await until(() => hook.told.length === 4);
    await sleep(100);
    await outbox.close();
    hook.close();
    const marks = hook.told.map(({ data: { percent, period, spent } }) => `${period} ${percent} ${spent}`);
    assert.deepEqual(marks.sort(), ['2026-11 100 100', '2026-11 80 80', '2026-12 100 100', '2026-12 80 100']);
    assert.deepEqual(hook.told[0]!.data.tenant, 'acme');
  });
});

test('secrets may be written as others write them', () => {
  const message = { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', body: '{"test": 2432232314}' };
  const known = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=';
  assert.equal(signature('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', message, '1614265330'), known);
});
