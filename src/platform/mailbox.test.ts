import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { createMailbox, Inbox, Outbox, postedOutbox } from './mailbox.ts';

/** Both ends in one thread: the loops of events are queues that a test runs when it likes. */
function setUp(bytes: number) {
  const received: unknown[] = [];
  const turns: (() => void)[] = [];
  const shared = createMailbox(bytes);
  const outbox = new Outbox(shared, () => turns.push(() => inbox.woken()));
  const inbox = new Inbox(
    shared,
    message => received.push(message),
    () => turns.push(() => outbox.flush()),
  );
  const settle = () => {
    for (let turn = turns.shift(); turn; turn = turns.shift()) turn();
  };
  return { outbox, inbox, received, turns, settle };
}

const step = fc.oneof(
  fc.record({
    kind: fc.constant('send' as const),
    message: fc.oneof(fc.string({ maxLength: 200 }), fc.array(fc.integer())),
  }),
  fc.record({ kind: fc.constantFrom('read' as const, 'turn' as const) }),
);

test('every message arrives once and in order, however full the ring is and whenever it is read', () => {
  fc.assert(
    fc.property(fc.constantFrom(16, 64, 256), fc.array(step, { maxLength: 60 }), (bytes, steps) => {
      const { outbox, inbox, received, turns, settle } = setUp(bytes);
      const sent: unknown[] = [];
      for (const each of steps) {
        if (each.kind === 'send') {
          sent.push(each.message);
          outbox.send(each.message);
        } else if (each.kind === 'read') inbox.read();
        else turns.shift()?.();
        assert.deepEqual(received, sent.slice(0, received.length));
      }
      settle();
      assert.deepEqual(received, sent);
    }),
  );
});

test('a message can be longer than the ring', () => {
  const { outbox, received, settle } = setUp(1 << 10);
  const tokens = Array.from({ length: 100_000 }, (_, i) => i % 50_000);
  outbox.send({ kind: 'submit', tokens });
  outbox.send({ kind: 'cancel', id: 1 });
  settle();
  assert.deepEqual(received, [
    { kind: 'submit', tokens },
    { kind: 'cancel', id: 1 },
  ]);
});

test('many messages wake the reader once', () => {
  const { outbox, turns, received } = setUp(1 << 10);
  for (let i = 0; i < 10; i++) outbox.send(i);
  assert.equal(turns.length, 1);
  turns[0]!();
  assert.equal(received.length, 10);
});

test('a thread that never returns to its event loop reads what another one sends, and more than the ring holds', {
  timeout: 20_000,
}, async () => {
  const shared = createMailbox(1 << 12);
  const reader = new Worker(
    `const { workerData, parentPort } = require('node:worker_threads');
     import(workerData.module).then(({ Inbox }) => {
       const sums = [];
       const inbox = new Inbox(workerData.shared, list => sums.push(list.reduce((a, b) => a + b, 0)), () => parentPort.postMessage('room'));
       parentPort.postMessage('ready');
       while (sums.length < 200) inbox.read();
       parentPort.postMessage(sums);
     });`,
    { eval: true, workerData: { shared, module: new URL('./mailbox.ts', import.meta.url).href } },
  );
  const outbox = new Outbox(shared, () => {});
  await once(reader, 'message');
  const result = Promise.withResolvers<number[]>();
  reader.on('message', message => (message === 'room' ? outbox.flush() : result.resolve(message)));
  const lists = Array.from({ length: 200 }, (_, i) => Array.from({ length: 10 * i }, (_, j) => i + j));
  for (const list of lists) outbox.send(list);
  assert.deepEqual(
    await result.promise,
    lists.map(list => list.reduce((a, b) => a + b, 0)),
  );
  await reader.terminate();
});

test('where no memory is shared messages are posted as they are', () => {
  const posted: unknown[] = [];
  const outbox = postedOutbox(message => posted.push(message));
  outbox.send({ kind: 'stats' });
  outbox.flush();
  assert.deepEqual(posted, [{ kind: 'stats' }]);
  assert.equal(outbox.unread, false);
});

test('a reader that attends is given every message, and its event loop is left alone', {
  timeout: 20_000,
}, async () => {
  const shared = createMailbox(1 << 10);
  const reader = new Worker(
    `const { workerData, parentPort } = require('node:worker_threads');
     import(workerData.module).then(({ Inbox }) => {
       const received = [];
       const inbox = new Inbox(workerData.shared, message => received.push(message), () => {});
       parentPort.postMessage('ready');
       while (received.length < 30) inbox.attend(10_000);
       parentPort.postMessage(received);
     });`,
    { eval: true, workerData: { shared, module: new URL('./mailbox.ts', import.meta.url).href } },
  );
  let woken = 0;
  const outbox = new Outbox(shared, () => woken++);
  await once(reader, 'message');
  const result = once(reader, 'message');
  for (let i = 0; i < 30; i++) {
    // Some while it sleeps, some while it reads.
    if (i % 3 === 0) await new Promise(resolve => setTimeout(resolve, 5));
    outbox.send(i);
  }
  assert.deepEqual(await result, [Array.from({ length: 30 }, (_, i) => i)]);
  assert.ok(woken <= 1, `woken ${woken} times`);
  await reader.terminate();
});

test('a reader that attends waits no longer than it says, and is woken as ever afterwards', () => {
  const { outbox, inbox, turns, received } = setUp(1 << 10);
  assert.equal(inbox.attend(5), false);
  outbox.send('later');
  assert.equal(turns.length, 1);
  assert.equal(inbox.attend(10_000), true);
  assert.deepEqual(received, ['later']);
});
