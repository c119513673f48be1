/** The hostile programs, all at once in the processes that others use: each ends, by name, and the processes stay. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { RealmError } from '../../src/errors.ts';
import { fakeHost, passOn, program, rig, streamTokens } from './helpers.ts';
import { compileBombs, hostilePrograms } from './hostile-modules.ts';

const { sandbox, call } = rig({ workers: 2 });
after(() => sandbox.close());

const endings = [
  'program_trapped',
  'program_out_of_memory',
  'program_out_of_fuel',
  'program_deadline',
  'program_failed',
];
const limits = { memoryMb: 64, fuel: 1e8, hostCalls: 300, deadlineMs: 60_000 };

test('every hostile program ends by name, and a neighbour has its bytes', { timeout: 300_000 }, async t => {
  const hostile = Object.entries(hostilePrograms).filter(([name]) => !(name in compileBombs));
  const good = await sandbox.load('good', program(`${passOn} (i32.const 0)`, streamTokens));
  const runs = await Promise.all(
    hostile.map(async ([name, make]) => [name, await sandbox.load(name, make(), { memoryMb: 64 })] as const),
  );
  let died = false;
  const attacks = runs.map(async ([name, tested]) => {
    try {
      await Array.fromAsync(call({ program: tested, tenant: name, limits }));
      t.diagnostic(`${name}: ended by itself`);
    } catch (error) {
      assert.ok(error instanceof RealmError, `${name}: ${error}`);
      assert.ok(endings.includes(error.code), `${name}: ${error.message}`);
      died ||= /its process/.test(error.message);
      t.diagnostic(`${name}: ${error.code}`);
    }
  });
  let over = false;
  const neighbour = (async () => {
    while (!over) {
      const pieces = await Array.fromAsync(call({ program: good, tenant: 'good', host: fakeHost().host }));
      assert.deepEqual(pieces, ['Hello', ', ', 'world']);
    }
  })();
  await Promise.all(attacks);
  over = true;
  await neighbour;
  assert.equal(died, false, 'no process ended');
  // One that its time ended is in the middle of a slice.
  for (let i = 0; i < 200 && sandbox.stats().runs > 0; i++) await sleep(50);
  assert.equal(sandbox.stats().runs, 0);
});
