/**
 * Modules with bytes changed at random are uploaded, and those that are let in are run: none harms the server. How many:
 * REALM_UPLOADS.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { createSandbox } from '../../src/sandbox/sandbox.ts';
import { createKey } from '../../src/tenancy/keys.ts';
import { tenantDefaults } from '../../src/tenancy/tenants.ts';
import { admin, administered } from './administration.ts';

const uploads = Number(process.env.REALM_UPLOADS ?? 40);

/** Numbers below 2^32, the same in each run: mulberry32. */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return below => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

function mutated(module: Uint8Array, random: (below: number) => number): Uint8Array {
  const bytes = new Uint8Array(module.subarray(0, random(20) === 0 ? random(module.length) : module.length));
  if (bytes.length === 0) return bytes;
  for (let changes = 1 + random(4); changes > 0; changes--)
    bytes[random(bytes.length)] = [random(256), 0x7f, 0x80, 0xff, 0][random(5)]!;
  return bytes;
}

test(`${uploads} uploads of mutated modules harm nobody`, async t => {
  const key = createKey('acme');
  // Some loop for ever: little fuel, so that they do not make up most of the time.
  const programLimits = { ...tenantDefaults.programLimits, fuel: 2e7 };
  const limits = { ...tenantDefaults, programLimits, memoryMb: 4, deadlineMs: 10_000 };
  const sandbox = createSandbox();
  const tenants = [{ id: 'acme', keys: [key.hash], ...limits }];
  const { ask, close } = await administered({ answer: () => 'quiet' }, { tenants }, { sandbox });
  const modules = await Promise.all(
    ['default', 'shout'].map(name => readFile(new URL(`../../guest/wasm/${name}.wasm`, import.meta.url))),
  );
  const random = randomOf(1);
  const path = '/admin/v1/programs/mutant?tenant=acme';
  const wasm = { 'content-type': 'application/wasm' };
  const said = (program?: string) => ask('POST', '/v1/completions', { prompt: 'Hi', program }, key.key);
  const seen: Record<string, { times: number; ms: number }> = {};
  const count = (what: string, start: number) => {
    seen[what] ??= { times: 0, ms: 0 };
    seen[what].times++;
    seen[what].ms += Math.round(performance.now() - start);
  };
  const began = performance.now();
  for (let i = 0; i < uploads; i++) {
    const start = performance.now();
    const answer = await ask('PUT', path, mutated(modules[i % 2]!, random), admin.key, wasm);
    if (answer.status !== 200) {
      assert.equal(answer.body.error?.code, 'program_invalid', answer.text);
      count(/does not compile/.test(answer.body.error.message) ? 'refused by V8' : 'refused', start);
      continue;
    }
    const run = await said('mutant');
    if (run.status !== 200) assert.match(run.body.error?.code, /^program_/, run.text);
    count(run.status === 200 ? 'answered' : run.body.error.code, start);
    if (i % 50 === 0) assert.match((await said()).text, /quiet/);
  }
  const seconds = (performance.now() - began) / 1000;
  assert.match((await said()).text, /quiet/);
  assert.equal((await ask('PUT', path, modules[1], admin.key, wasm)).status, 200);
  assert.match((await said('mutant')).text, /QUIET/);
  assert.ok(sandbox.stats().processes <= 3, `${sandbox.stats().processes} processes`);
  t.diagnostic(`${(uploads / seconds).toFixed(1)} a second; ${JSON.stringify(seen)}`);
  await close();
  await sandbox.close();
});
