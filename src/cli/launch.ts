#!/usr/bin/env node
/** The package's `realm`: starts the command line in the Node that the package brings, with the settings of bin/runtime.env. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';
import { isTooOld, oldestNode } from '../library/node-version.ts';

const own = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** The Node that was installed with the package, else the one that runs this, if it is new enough. */
function findNode(): string | undefined {
  const { platform, arch, versions, execPath } = process;
  for (const name of [`node-${platform === 'win32' ? 'win' : platform}-${arch}`, `node-bin-${platform}-${arch}`]) {
    try {
      return createRequire(import.meta.url).resolve(`${name}/bin/node${platform === 'win32' ? '.exe' : ''}`);
    } catch {
      // It is an optional dependency.
    }
  }
  return isTooOld(versions.node) ? undefined : execPath;
}

function launch(node: string): void {
  const settings = parseEnv(readFileSync(own('../../bin/runtime.env'), 'utf8'));
  const env = {
    NODE_COMPILE_CACHE: own('../../node_modules/.cache/realm'),
    MALLOC_ARENA_MAX: settings.ARENA_MAX,
    MALLOC_MMAP_THRESHOLD_: settings.MMAP_THRESHOLD,
    MALLOC_TRIM_THRESHOLD_: settings.TRIM_THRESHOLD,
    ...process.env,
  };
  const flags = settings.V8_FLAGS!.split(' ');
  const child = spawn(node, [...flags, own('./main.js'), ...process.argv.slice(2)], { stdio: 'inherit', env });
  const { stdin, stdout, stderr } = process;
  const terminal = stdin.isTTY || stdout.isTTY || stderr.isTTY;
  // A terminal sends Ctrl-C to both processes: this one only waits for the other to end.
  process.on('SIGINT', () => terminal || child.kill('SIGINT'));
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  child.on('error', error => refuse(`${node} cannot be started: ${error.message}`));
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
  });
}

function refuse(problem: string): void {
  process.stderr.write(`realm: engine_failed: ${problem}\n`);
  process.exitCode = 1;
}

const node = findNode();
if (node === undefined) {
  refuse(
    `Node ${process.versions.node} is too old; install Node ${oldestNode} or newer, or this package with its optional dependencies.`,
  );
} else {
  launch(node);
}
