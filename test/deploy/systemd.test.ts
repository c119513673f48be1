/** The unit is one that systemd accepts and finds safe, and its configuration one that Realm reads. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { loadConfig } from '../../src/tenancy/config.ts';

const unit = readFileSync('deploy/systemd/realm.service', 'utf8');
const setting = (name: string) => RegExp(`^${name}=(.*)$`, 'm').exec(unit)?.[1] ?? '';
const config = await loadConfig('deploy/systemd/realm.yaml');

test('the unit starts what there is, and everything that it writes lies where it may', () => {
  assert.equal(setting('ExecStart'), '/opt/realm/bin/realm serve --config /etc/realm/realm.yaml');
  assert.match(setting('ExecReload'), /-HUP/);
  assert.match(setting('User'), /^realm$/);
  assert.equal(setting('StateDirectory'), 'realm');
  assert.equal(setting('ProtectSystem'), 'strict');
  for (const path of [config.store!, config.sessions!.path]) assert.match(path, /^\/var\/lib\/realm\//);
  assert.match(setting('Environment'), /REALM_HOME=\/var\/lib\/realm /);
  assert.equal(config.host, '127.0.0.1');
  const { lameDuckMs, drainMs } = config.limits;
  assert.ok(Number(setting('TimeoutStopSec')) * 1000 > lameDuckMs + drainMs);
  assert.equal(setting('MemoryDenyWriteExecute'), '', 'V8 compiles');
});

const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0;

/** In CI it must not be left out. */
const skip = hasSystemd || process.env.CI ? false : 'there is no systemd-analyze';

test('systemd accepts the unit, and rates it as safe', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'realm-unit-'));
  try {
    // Programs of a unit must exist.
    const file = join(folder, 'realm.service');
    writeFileSync(file, unit.replaceAll('/opt/realm/', `${resolve('.')}/`));
    const verified = spawnSync('systemd-analyze', ['verify', file], { encoding: 'utf8' });
    assert.equal(verified.status, 0, verified.stderr);
    assert.doesNotMatch(verified.stderr, /realm\.service/);
    // Of 100; a unit without any protection has 96.
    execFileSync('systemd-analyze', ['security', '--offline=true', '--threshold=20', file], { stdio: 'pipe' });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
