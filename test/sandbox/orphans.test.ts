/** A server that is killed leaves no program behind that computes for ever. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

const helpers = new URL('./helpers.ts', import.meta.url).href;
/** Runs a program that loops, until it is killed. */
const server = `
  const { program, rig } = await import(${JSON.stringify(helpers)});
  const { run } = rig();
  const running = run(program('(loop $l (br $l))'), { limits: { fuel: 1e15, deadlineMs: 600000 } });
  setTimeout(() => console.log('running'), 1500);
  await running;
`;

function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(Number)
    .filter(child => parentOf(child) === pid);
}

function parentOf(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}

test('programs end with a server that is killed', { skip: process.platform !== 'linux' }, async () => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', server], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  const programs = childrenOf(child.pid!);
  assert.ok(programs.length > 0);
  child.kill('SIGKILL');
  await once(child, 'exit');
  const end = Date.now() + 20_000;
  while (programs.some(pid => existsSync(`/proc/${pid}`)) && Date.now() < end) await sleep(100);
  assert.deepEqual(
    programs.filter(pid => existsSync(`/proc/${pid}`)),
    [],
  );
});
