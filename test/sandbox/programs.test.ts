import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { compileProgram, programs } from '../../guest/build.ts';
import { RealmError } from '../../src/errors.ts';
import { builtinPrograms, readBuiltinProgram } from '../../src/sandbox/builtin.ts';
import type { ModelId } from '../../src/sandbox/model-id.ts';
import type { ProgramHost } from '../../src/sandbox/types.ts';
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

/** The module, in the thread of such or in a tenant's process, and the host in its place. */
for (const where of [{ trusted: true }, { trusted: false }, { direct: true }]) {
  describe(`the default program, ${Object.entries(where).join(' ').replace(',', ': ')}`, () => {
    const load = async () => sandbox.load('default', await readBuiltinProgram('default'), where);

    test('passes request and answer on, piece by piece', async () => {
      const pieces = ['Grüße', ' ', '🙂', '\ufeffx', '\0', 'the end'];
      const { host, calls } = fakeHost(pieces);
      const prompt = 'Wörter 🙂\0\u2028';
      const seen = call({ program: await load(), prompt, modelId: 0xffff_fffe as ModelId, host });
      assert.deepEqual(await Array.fromAsync(seen), pieces);
      assert.deepEqual(calls, [{ modelId: 0xffff_fffe as ModelId, prompt, options: {} }]);
    });

    test('gives unusual options back as unchanged', async () => {
      const { host, calls } = fakeHost();
      const odd = { ...options, temperature: 0.1, topP: 1 / 3, seed: 2n ** 64n - 1n, stopTokens: [1, 2 ** 32 - 1, 3] };
      await Array.fromAsync(call({ program: await load(), host, options: odd }));
      assert.deepEqual(calls[0]?.options, {});
    });

    test('passes an empty prompt, an empty answer and long pieces', async () => {
      const program = await load();
      const empty = fakeHost([]);
      assert.deepEqual(await Array.fromAsync(call({ program, prompt: '', host: empty.host })), []);
      assert.equal(empty.calls[0]?.prompt, '');
      const pieces = ['ü'.repeat(100), 'x'.repeat(100_000), 'y'];
      assert.deepEqual(await Array.fromAsync(call({ program, host: fakeHost(pieces).host })), pieces);
    });

    test('passes a prompt of a megabyte', async () => {
      const { host, calls } = fakeHost(['ok']);
      const prompt = 'ä🙂'.repeat(200_000);
      await Array.fromAsync(call({ program: await load(), prompt, host }));
      assert.ok(calls[0]?.prompt === prompt);
    });

    test("says what its host says, and ends with its reader's leave", async () => {
      const program = await load();
      const refused = new RealmError('queue_full', 'no room');
      const failing: ProgramHost = { ...fakeHost().host, generate: () => Promise.reject(refused) };
      await assert.rejects(Array.fromAsync(call({ program, host: failing })), error => error === refused);
      let left = false;
      const endless: ProgramHost = {
        ...fakeHost().host,
        generate: async (_, signal, onText) => {
          signal.addEventListener('abort', () => {
            left = true;
          });
          for (;;) {
            await onText('x');
            await sleep(1);
          }
        },
      };
      for await (const _ of call({ program, host: endless })) break;
      assert.ok(left);
      const limits = { memoryMb: 64, deadlineMs: 50, sliceMs: 2000 };
      await assert.rejects(Array.fromAsync(call({ program, host: endless, limits })), { code: 'program_deadline' });
    });
  });
}

test('the shouting program shows that the program is on the path', async () => {
  const program = await sandbox.load('shout', await readBuiltinProgram('shout'), { trusted: true });
  const { host } = fakeHost(['Paris is', ' très ', 'grüß 🙂']);
  assert.deepEqual(await Array.fromAsync(call({ program, host })), ['PARIS IS', ' TRÈS ', 'GRÜSS 🙂']);
});
