import assert from 'node:assert/strict';
import { test } from 'node:test';
import { maxTile } from '../../kernels/activation.ts';
import { Program } from './commands.ts';
import { add } from './ops/add.ts';
import { scale } from './ops/scale.ts';
import { Station } from './station.ts';
import { Team } from './team.ts';

const nothing = (program: Program) => program.push(scale, 0, 0, 1, { rows: 0, x: 0, stride: 0, eights: 0, factor: 1 });

test('a thread that never arrives ends the step instead of holding it for ever', () => {
  const program = new Program(2, undefined, 20);
  nothing(program);
  assert.equal(program.start(new Station(4096, [], maxTile)), 'stalled');
});

test('a command that throws fails the step; the next one runs', async () => {
  const team = await Team.start(2, thread => 4096 * (1 + thread), [], maxTile);
  // Without a memory there is nothing to work on.
  team.program.push(add, 0, 4, 1, { rows: 4, out: 0, x: 0, stride: 0, eights: 0 });
  assert.throws(() => team.run(), { code: 'engine_failed', message: /a kernel failed/ });
  nothing(team.program);
  team.run();
  await team.close();
});

test('a team that has lost a thread refuses to run', async () => {
  const team = await Team.start(2, thread => 4096 * (1 + thread), [], maxTile);
  await team.close();
  nothing(team.program);
  assert.throws(() => team.run(), { code: 'engine_failed', message: /a compute thread died/ });
});
