import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryResponseStore } from './store.ts';

const stored = (id: string, size = 10) => ({
  id,
  response: '{}',
  items: [[`msg_${id}`, JSON.stringify({ id: `msg_${id}`, text: 'x' })]] as const,
  input: '[]',
  context: 'x'.repeat(size),
});

function store(limits = {}) {
  const clock = { now: 0 };
  const all = { perTenant: 3, bytesPerTenant: 10_000, keepMs: 1000, ...limits };
  return { clock, kept: new MemoryResponseStore(all, () => clock.now) };
}

test('a response is its tenant’s alone', async () => {
  const { kept } = store();
  await kept.save('a', stored('r'));
  assert.equal((await kept.find('a', 'r'))?.id, 'r');
  assert.equal(await kept.find('b', 'r'), undefined);
  assert.equal(await kept.findItem('b', 'msg_r'), undefined);
  assert.equal(await kept.remove('b', 'r'), false);
  assert.deepEqual(JSON.parse((await kept.findItem('a', 'msg_r'))!), { id: 'msg_r', text: 'x' });
  assert.equal(await kept.remove('a', 'r'), true);
  assert.equal(await kept.find('a', 'r'), undefined);
  assert.equal(await kept.findItem('a', 'msg_r'), undefined);
});

test('it expires', async () => {
  const { kept, clock } = store();
  await kept.save('a', stored('r'));
  clock.now = 1000;
  assert.equal(await kept.find('a', 'r'), undefined);
  assert.equal(await kept.findItem('a', 'msg_r'), undefined);
  assert.equal(await kept.remove('a', 'r'), false);
});

test('beyond the quota of one tenant its oldest go, and nobody else’s', async () => {
  const { kept } = store();
  await kept.save('b', stored('other'));
  for (const id of ['1', '2', '3', '4']) await kept.save('a', stored(id));
  assert.equal(await kept.find('a', '1'), undefined);
  assert.ok(await kept.find('a', '2'));
  assert.ok(await kept.find('b', 'other'));
  await kept.save('a', stored('5', 4940));
  assert.ok(await kept.find('a', '5'));
  assert.equal(await kept.find('a', '4'), undefined);
});

test('what is larger than the whole quota is not kept and pushes nothing out', async () => {
  const { kept } = store();
  await kept.save('a', stored('1'));
  await kept.save('a', stored('2', 10_000));
  assert.ok(await kept.find('a', '1'));
  assert.equal(await kept.find('a', '2'), undefined);
});
