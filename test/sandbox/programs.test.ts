import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { compileProgram, programs } from '../../guest/build.ts';
import { builtinPrograms, readBuiltinProgram } from '../../src/sandbox/builtin.ts';
import type { ModelId } from '../../src/sandbox/model-id.ts';
import { fakeHost, options, rig } from './helpers.ts';

const { sandbox, call } = rig();
after(() => sandbox.close());

test('rebuilding the programs gives the committed bytes', async () => {
  assert.deepEqual(programs, builtinPrograms);
  for (const name of programs) {
    assert.deepEqual(Buffer.from(await compileProgram(name)), Buffer.from(await readBuiltinProgram(name)), name);
  }
});

test('the default program is at most 57 kB', async () => {
  assert.ok((await readBuiltinProgram('default')).length <= 57_000);
});

for (const trusted of [true, false]) {
  test(`the default program passes request and answer on, piece by piece (trusted: ${trusted})`, async () => {
    const program = await sandbox.load('default', await readBuiltinProgram('default'), { trusted });
    const pieces = ['Grüße', ' ', '🙂', '\ufeffx', '\0', 'the end'];
    const { host, calls } = fakeHost(pieces);
    const prompt = 'Wörter 🙂\0\u2028';
    assert.deepEqual(await Array.fromAsync(call({ program, prompt, modelId: 0xffff_fffe as ModelId, host })), pieces);
    assert.deepEqual(calls, [{ modelId: 0xffff_fffe as ModelId, prompt, options: {} }]);
  });
}

test('unusual options come back as unchanged', async () => {
  const program = await sandbox.load('default', await readBuiltinProgram('default'), { trusted: true });
  const { host, calls } = fakeHost();
  const odd = { ...options, temperature: 0.1, topP: 1 / 3, seed: 2n ** 64n - 1n, stopTokens: [1, 2 ** 32 - 1, 3] };
  await Array.fromAsync(call({ program, host, options: odd }));
  assert.deepEqual(calls[0]?.options, {});
});

test('an empty prompt, an empty answer and long pieces pass', async () => {
  const program = await sandbox.load('default', await readBuiltinProgram('default'), { trusted: true });
  const empty = fakeHost([]);
  assert.deepEqual(await Array.fromAsync(call({ program, prompt: '', host: empty.host })), []);
  assert.equal(empty.calls[0]?.prompt, '');
  const pieces = ['ü'.repeat(100), 'x'.repeat(100_000), 'y'];
  assert.deepEqual(await Array.fromAsync(call({ program, host: fakeHost(pieces).host })), pieces);
});

test('a prompt of a megabyte passes', async () => {
  const program = await sandbox.load('default', await readBuiltinProgram('default'), { trusted: true });
  const { host, calls } = fakeHost(['ok']);
  const prompt = 'ä🙂'.repeat(200_000);
  await Array.fromAsync(call({ program, prompt, host }));
  assert.ok(calls[0]?.prompt === prompt);
});

test('the shouting program shows that the program is on the path', async () => {
  const program = await sandbox.load('shout', await readBuiltinProgram('shout'), { trusted: true });
  const { host } = fakeHost(['Paris is', ' très ', 'grüß 🙂']);
  assert.deepEqual(await Array.fromAsync(call({ program, host })), ['PARIS IS', ' TRÈS ', 'GRÜSS 🙂']);
});
