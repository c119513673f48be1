import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { it } from 'node:test';
import { fusesDots } from './fused-dot.ts';

const system = existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8') : '';

it('knows a processor with the dot-and-add instruction', { skip: process.arch !== 'x64' || system === '' }, () => {
  assert.equal(fusesDots(), / avx_vnni /.test(system));
});
