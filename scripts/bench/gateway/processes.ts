import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { LoadSeen, LoadWork } from './load.ts';

const script = (name: string) => fileURLToPath(new URL(`./${name}.ts`, import.meta.url));

/** Whether processes can be held to one processor each. */
const pinned = availableParallelism() > 1 && hasTaskset();

function hasTaskset(): boolean {
  try {
    execFileSync('taskset', ['-V'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const children = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of children) child.kill();
});

/** Node on one processor: servers have the first, whoever asks them the second. */
export function start(core: 0 | 1, args: readonly string[], node = process.execPath): ChildProcess {
  const [command, ...before] = pinned ? ['taskset', '-c', String(core), node] : [node];
  const child = spawn(command!, [...before, ...args], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

/** Seconds of computing that a process has had, all its threads together; 0 where the system does not say. */
export async function cpuSeconds({ pid }: ChildProcess): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // Behind the name, which may have spaces: state is field 3, utime and stime 14 and 15, in hundredths of a second.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / 100;
}

/** One of the scripts beside this one; what it prints first says where it listens. */
export async function startServer<T>(core: 0 | 1, name: string, settings: object = {}, flags: string[] = []) {
  const child = start(core, [...flags, script(name), JSON.stringify(settings)]);
  const ended = once(child, 'exit').then(([code]) => Promise.reject(new Error(`${name} ended with ${code}`)));
  const [line] = await Promise.race([once(child.stdout!, 'data'), ended]);
  ended.catch(() => {});
  return { child, address: JSON.parse(String(line)) as T };
}

export async function load(work: LoadWork): Promise<LoadSeen> {
  const child = start(1, [script('load'), JSON.stringify(work)]);
  return JSON.parse(await text(child.stdout!)) as LoadSeen;
}

export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill();
  await ended;
}
