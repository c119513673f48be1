/** Functions of ABI v2 without a process: limits, and whatever a program passes. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { GuestError } from '../../src/sandbox/abi.ts';
import { sequenceFunctions } from '../../src/sandbox/v2/functions.ts';
import { boundCalls } from '../../src/sandbox/v2/imports.ts';
import { boundGuest, requests } from './bound-guest.ts';
import { says, scripted, vocabulary } from './scripted-sequences.ts';
import { chatOf, guests, MODEL, made, refused, submitted, waited } from './sequence-guests.ts';

describe('limits', () => {
  const limited = (limits: Parameters<typeof boundGuest>[1]) => made(scripted(), limits);

  test('sequences, forks, tickets, constraints, host calls and output', async () => {
    const guest = limited({ limits: { sequences: 3, forks: 2, tickets: 1, outputBytes: 10 } });
    const seq = await chatOf(guest);
    assert.equal(await guest.call('seq_fork', seq, guest.out, 2), 2);
    await refused(guest, GuestError.limit, /3 sequences/, 'seq_new', MODEL);
    const [fork] = guest.readWords(1) as [number];
    await guest.call('seq_free', fork);
    await refused(guest, GuestError.limit, /forks at most 2/, 'seq_fork', seq, guest.out, 1);
    const ticket = await submitted(guest, { seq, maxTokens: 1 });
    const other = await chatOf(guest);
    await refused(guest, GuestError.limit, /1 tickets/, 'submit', ...requests(guest, [{ seq: other }]));
    assert.equal(await guest.call('seq_truncate', other, 0), 0, 'it is not busy with what was refused');
    await waited(guest, [ticket]);
    assert.equal(await guest.call('emit', 0, ...guest.text('12345678')), 0);
    await refused(guest, GuestError.limit, /at most 10 bytes/, 'emit', 0, ...guest.text('123'));
    for (let i = 0; i < 64; i++) assert.ok((await guest.call('constraint_new', MODEL, 2, ...guest.text('a'))) > 0);
    await refused(guest, GuestError.limit, /64 constraints/, 'constraint_new', MODEL, 2, ...guest.text('a'));
  });

  test('host calls, of all functions', async () => {
    const guest = limited({ limits: { hostCalls: 3 } });
    for (let i = 0; i < 3; i++) await guest.call('seq_length', 5);
    await refused(guest, GuestError.limit, /at most 3 host calls/, 'seq_length', 5);
    assert.ok(guest.state.spent >= 200, 'fuel too');
  });

  test('tokens in all sequences', async () => {
    const guest = made();
    const seq = await guest.call('seq_new', MODEL);
    for (let i = 0; i < 70; i++) {
      if ((await guest.call('seq_push', seq, 0, 65_536)) < 0) break;
    }
    assert.match(guest.lastError(), /4194304 tokens/);
    await refused(guest, GuestError.limit, /tokens in all/, 'seq_fork', seq, guest.out, 1);
  });
});

describe('pointers and handles', () => {
  test('every pointer is checked', async () => {
    const guest = made();
    const seq = await chatOf(guest);
    const { size } = guest;
    const parser = await guest.call('parser_new', MODEL, 0, 0);
    const ticket = await submitted(guest, { seq: await chatOf(guest), maxTokens: 1 });
    const tickets = guest.words([ticket]);
    const [at, length] = guest.text('a');
    const bad: [string, ...number[]][] = [
      ['last_error', size, 100],
      ['model_find', size, 1],
      ['model_info', MODEL, size - 5, 100],
      ['seq_chat', seq, size, 1],
      ['seq_text', seq, -1, -1 >>> 20, 0],
      ['seq_push', seq, size - 3, 1],
      ['seq_fork', seq, size, 1],
      ['seq_fork', seq, 0, -1],
      ['seq_tokens', seq, 0, size, 100],
      ['seq_save', seq, size, 1, 0],
      ['seq_open', MODEL, size, 1],
      ['seq_sampler', seq, size, 2],
      ['seq_adapter', seq, size, 2],
      ['seq_bias', seq, size - 7, 1, 0],
      ['seq_mask', seq, size - 8, Math.ceil(vocabulary / 32)],
      ['constraint_new', MODEL, 2, size, 1],
      ['submit', size - 63, 1],
      ['wait', size, 1, 0, guest.out, 100],
      ['wait', ...tickets, 0, size - 99, 100],
      ['logits', seq, size, vocabulary],
      ['logits', seq, 0, 0x4000_0001],
      ['embed', MODEL, size, 1, 0, 0],
      ['embed', MODEL, at, length, size, 26],
      ['parser_new', MODEL, size, 1],
      ['parser_feed', parser, size, 1, 0, 0],
      ['parser_feed', parser, at, 0, size, 100],
      ['decode', MODEL, size, 1, 0, 0],
      ['decode', MODEL, at, 0, size, 1],
      ['emit', 0, size, 1],
      ['emit', 1, size, 1],
      ['tool', size, 1, at, length, 0, 0],
      ['tool', at, length, size, 1, 0, 0],
      ['tool', at, length, at, length, size, 1],
      ['budget', size, 1],
      ['random', size, 1],
      ['log', 0, size, 1],
    ];
    const code = (name: string) => (name === 'seq_fork' ? [GuestError.invalidPointer, GuestError.limit] : [-1]);
    guest.guest.error = 'something';
    for (const [name, ...args] of bad) {
      const result = await guest.call(name, ...args);
      assert.ok((code(name) as number[]).includes(result), `${name} ${args}: ${result}, ${guest.lastError()}`);
    }
    const covered = new Set(bad.map(([name]) => name));
    const without = [...sequenceFunctions.keys()].filter(name => !covered.has(name));
    const none = ['seq_new', 'seq_free', 'seq_truncate', 'seq_length', 'constraint_free', 'seq_constrain'];
    assert.deepEqual(without.sort(), [...none, 'cancel', 'parser_free'].sort());
  });

  test('forged and freed handles, and those of other kinds', async () => {
    const guest = made();
    const seq = await chatOf(guest);
    await guest.call('seq_free', seq);
    const constraint = await guest.call('constraint_new', MODEL, 2, ...guest.text('a'));
    const handles = [0, 1, -1, 0x7fff_ffff, seq, seq + 1, constraint];
    const takers: [string, number[]][] = [
      ['seq_free', []],
      ['seq_chat', [0, 0]],
      ['seq_text', [0, 0, 0]],
      ['seq_push', [0, 0]],
      ['seq_fork', [0, 0]],
      ['seq_truncate', [0]],
      ['seq_tokens', [0, 0, 0]],
      ['seq_length', []],
      ['seq_save', [0, 0, 0]],
      ['seq_sampler', [0, 0]],
      ['seq_adapter', [0, 0]],
      ['seq_bias', [0, 0, 0]],
      ['seq_mask', [0, 9]],
      ['seq_constrain', [0]],
      ['logits', [0, 0]],
      ['cancel', []],
      ['parser_feed', [0, 0, 0, 0]],
      ['parser_free', []],
    ];
    for (const handle of handles) {
      for (const [name, args] of takers) {
        assert.equal(await guest.call(name, handle, ...args), GuestError.noHandle, `${name} of ${handle}`);
      }
      assert.equal(await submitted(guest, { seq: handle }), GuestError.noHandle);
    }
    for (const handle of [1, seq, -1]) {
      assert.equal(await guest.call('constraint_free', handle), GuestError.noHandle);
      assert.equal(await guest.call('seq_constrain', await chatOf(guest), handle), GuestError.noHandle);
    }
  });
});

test('no numbers that a program passes crash anything', { timeout: 60_000 }, async () => {
  const handles = [2 ** 24 + 1, 2 ** 24 + 2, 2 * 2 ** 24 + 1, 3 * 2 ** 24 + 1, 4 * 2 ** 24 + 1];
  const edges = [0, 1, 2, 3, 7, 8, 9, 64, 1024, 1100, 262_143, 262_144, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];
  const number = fc.oneof(fc.constantFrom(...handles), fc.constantFrom(...edges), fc.integer(), fc.nat(300_000));
  const step = fc.tuple(fc.constantFrom(...sequenceFunctions.keys()), fc.array(number, { minLength: 6, maxLength: 6 }));
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async steps => {
      const guest = boundGuest();
      guests.push(guest);
      const seq = await chatOf(guest);
      await chatOf(guest);
      await guest.call('constraint_new', MODEL, 2, ...guest.text('a+'));
      await guest.call('parser_new', MODEL, 0, 0);
      await submitted(guest, { seq, maxTokens: 3 });
      for (const [name, args] of steps) {
        const most = name === 'random' ? 65_536 : 2 ** 27;
        const result = await guest.call(name, ...args.slice(0, sequenceFunctions.get(name)!.params.length));
        assert.ok(Number.isInteger(result) && result >= -17 && result <= most, `${name} ${args}: ${result}`);
        if (result < 0) assert.notEqual(guest.lastError(), '');
      }
      guest.end();
    }),
    { numRuns: 150 },
  );
});

describe('ends', () => {
  test('with open tickets, all kinds of handles, and while it waits', async () => {
    const guest = made();
    const seq = await chatOf(guest);
    await guest.call('constraint_new', MODEL, 2, ...guest.text('a'));
    await guest.call('parser_new', MODEL, 0, 0);
    const ticket = await submitted(guest, { seq, flags: 4, maxTokens: 100_000 });
    const waiting = guest.call('wait', ...guest.words([ticket]), 0, guest.out, 1000);
    await new Promise(resolve => setTimeout(resolve, 5));
    assert.equal(guest.open(), 1);
    guest.kill(new Error('cancelled'));
    await assert.rejects(waiting, /cancelled/);
    assert.throws(() => boundCalls(guest.guest).seq_length!(seq), /cancelled/);
  });

  test('while it asks', async () => {
    const guest = made(scripted(says(''), { textTokens: () => new Promise(() => {}) }));
    const seq = await guest.call('seq_new', MODEL);
    const asking = guest.call('seq_text', seq, 0, 0, 0);
    await new Promise(setImmediate);
    guest.kill(new Error('cancelled'));
    await assert.rejects(asking, /cancelled/);
  });
});
