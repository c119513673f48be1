import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { GuestTurns } from './guest-turns.ts';
import { SLICE_FUEL } from './limits.ts';

let stopped = false;

/** Guests whose turns are written down; each of `spinning` wants the next one right away. */
function rig() {
  stopped = false;
  const log: string[] = [];
  const turns = new GuestTurns(() => {});
  const spin = (tenant: string, name: string, times = Number.POSITIVE_INFINITY, weight = 1) => {
    let left = times;
    const waiter = {
      tenant,
      spent: true,
      go: () => {
        log.push(name);
        turns.charge(tenant, SLICE_FUEL, weight);
        if (--left > 0 && !stopped) turns.add(waiter);
      },
    };
    turns.add(waiter);
    return waiter;
  };
  const answer = (tenant: string, name: string, fuel = 0) =>
    turns.add({
      tenant,
      spent: false,
      go: () => {
        log.push(name);
        turns.charge(tenant, fuel);
      },
    });
  const run = async (count: number) => {
    for (let i = 0; i < count; i++) await turn();
    return log.splice(0).join(' ');
  };
  return { turns, spin, answer, run };
}

describe('turns of guests', () => {
  afterEach(() => {
    stopped = true;
  });

  it('go to tenants by turns, whoever came first and however many guests one has', async () => {
    const { spin, run } = rig();
    for (let i = 0; i < 10; i++) spin('a', 'a');
    spin('b', 'b', 4);
    assert.match(await run(9), /^a (b a ){3}b/);
  });

  it('go to a tenant of weight 3 three times as often', async () => {
    const { spin, run } = rig();
    spin('a', 'a', 100, 3);
    spin('b', 'b', 100);
    const log = (await run(80)).split(' ');
    assert.equal(log.filter(name => name === 'a').length, 60);
  });

  it("go to a tenant's own guests in order", async () => {
    const { spin, run } = rig();
    for (const name of ['a1', 'a2', 'a3']) spin('a', name);
    assert.match(await run(8), /^a1 a2 a3 a1 a2 a3/);
  });

  it('go to whoever has got an answer after one slice at most', async () => {
    const { spin, answer, run } = rig();
    for (const name of ['a', 'b', 'c']) spin(name, name);
    await run(20);
    // It has computed much while nobody else wanted to.
    answer('d', 'd1', 1000 * SLICE_FUEL);
    await run(5);
    answer('a', 'answered');
    assert.match(await run(5), /^([abc] ){0,3}answered/);
    answer('d', 'd2');
    assert.match(await run(8), /d2/);
  });

  it('are taken at once where nobody waits, and not after a long stretch of computing', async () => {
    const { turns, spin, run } = rig();
    turns.polled();
    assert.equal(turns.free, true);
    const end = performance.now() + 3;
    while (performance.now() < end);
    assert.equal(turns.free, false);
    turns.polled();
    spin('a', 'a', 1);
    assert.equal(turns.free, false);
    await run(3);
    assert.equal(turns.waiting, 0);
  });

  it('are not given to whoever has left', async () => {
    const { turns, spin, run } = rig();
    const gone = spin('a', 'a');
    spin('b', 'b', 2);
    turns.remove(gone);
    turns.remove(gone);
    assert.equal(await run(5), 'b b');
    assert.equal(turns.waiting, 0);
  });
});
