import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Program } from '../sandbox/types.ts';
import { LoadedPrograms } from './loaded-programs.ts';

function loader(bytes?: number) {
  const loads: string[] = [];
  const load = async (name: string, module: Uint8Array, { memoryMb = 0 } = {}): Promise<Program> => {
    loads.push(`${name} ${memoryMb}`);
    if (module.length === 0) throw new Error('empty');
    return { name, digest: '', trusted: false };
  };
  const programs = new LoadedPrograms({ load }, bytes);
  const use = (name: string, { memoryMb = 64, size = 1 } = {}) =>
    programs.load({ name, digest: name, size, memoryMb, module: async () => new Uint8Array(size) });
  return { loads, use };
}

test('a program is loaded once for each memory limit', async () => {
  const { loads, use } = loader();
  const both = await Promise.all([use('a'), use('a')]);
  assert.equal(both[0], both[1]);
  await use('a', { memoryMb: 8 });
  await use('a');
  assert.deepEqual(loads, ['a 64', 'a 8']);
});

test('those used longest ago are given up for others; one that is larger than all room is used all the same', async () => {
  const { loads, use } = loader(3);
  for (const name of ['a', 'b', 'c', 'a', 'd', 'a', 'c', 'b']) await use(name);
  assert.deepEqual(loads, ['a 64', 'b 64', 'c 64', 'd 64', 'b 64']);
  await use('large', { size: 9 });
  await use('large', { size: 9 });
  assert.equal(loads.at(-1), 'large 64');
  assert.equal(loads.length, 6);
});

test('only a few are checked at once, and one that fails keeps nobody waiting', async () => {
  let [running, most] = [0, 0];
  const load = async (name: string): Promise<Program> => {
    most = Math.max(most, ++running);
    await sleep(5);
    running--;
    if (name === 'bad') throw new Error('bad');
    return { name, digest: '', trusted: false };
  };
  const programs = new LoadedPrograms({ load });
  const use = (name: string, digest: string) =>
    programs.load({ name, digest, size: 1, memoryMb: 64, module: async () => new Uint8Array(1) });
  const results = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => use(i < 4 ? 'bad' : 'good', `${i}`)));
  assert.equal(most, 4);
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 16);
});

test('what failed is tried again', async () => {
  const { loads, use } = loader();
  await assert.rejects(use('a', { size: 0 }), /empty/);
  await assert.rejects(use('a', { size: 0 }), /empty/);
  assert.equal(loads.length, 2);
});
