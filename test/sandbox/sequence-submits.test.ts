/** Functions of ABI v2 without a process: `submit` and `wait`. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RealmError } from '../../src/errors.ts';
import { GuestError } from '../../src/sandbox/abi.ts';
import { requests, type Wish } from './bound-guest.ts';
import { words as byteWords, says, scripted } from './scripted-sequences.ts';
import { answerOf, chat, chatOf, MODEL, made, refused, submitted, textOf, waited } from './sequence-guests.ts';

describe('submit and wait', () => {
  test('all that a request may ask for', async () => {
    const guest = made(scripted(says('Hello')));
    const seq = await chatOf(guest);
    const wish: Wish = {
      ...{ seq, maxTokens: 3, flags: 1 | 2 | 4 | 8, topK: 2, stopIds: [9], stopTexts: ['ab', '!'] },
      ...{ draft: [72, 101], scoreIds: [72, 105], minTokens: 2 },
    };
    const [result] = await waited(guest, [await submitted(guest, wish)], { logprobs: true });
    const { constraint: _, ...sent } = guest.submissions[0]!;
    assert.deepEqual(sent, {
      modelId: MODEL,
      adapter: undefined,
      tokens: Uint32Array.from(byteWords.tokens('<user>Hi<assistant>')),
      answered: 0,
      maxTokens: 3,
      minTokens: 2,
      sampling: { seed: undefined },
      stopTokens: [9],
      stop: ['ab', '!'],
      ignoreEnds: true,
      keepEnd: true,
      mask: undefined,
      draft: Uint32Array.of(72, 101),
      topLogprobs: 2,
      scored: [72, 105],
    });
    assert.equal(textOf(result!.tokens), 'Hel');
    assert.equal(result!.reason, 1);
    assert.ok(Math.abs(result!.logprobs[0]! - Math.log(0.9)) < 0.01);
    assert.equal(result!.top[0]![0]![0], 72);
    assert.equal(result!.scores.length, 3);
    assert.equal(result!.scores[0]![0], result!.logprobs[0]);
    assert.deepEqual(guest.streamed, ['H', 'e', 'l']);
  });

  test('reasons: end, length, stop text, and the end token kept', async () => {
    const guest = made();
    const seq = await chatOf(guest);
    assert.equal((await answerOf(guest, { seq, maxTokens: 2 })).reason, 1);
    assert.equal((await answerOf(guest, { seq, stopTexts: ['lo'] })).reason, 2);
    const last = await answerOf(guest, { seq, flags: 8 });
    assert.deepEqual([last.reason, last.tokens], [0, [byteWords.end]]);
    const prompt = await answerOf(guest, { seq, maxTokens: 0 });
    assert.deepEqual([prompt.reason, prompt.tokens], [1, []], 'the prompt alone');
  });

  test('many sequences of two models in one ticket, and several tickets', async () => {
    const guest = made();
    const seqs = [await chatOf(guest)];
    for (let i = 0; i < 3; i++) {
      const seq = await guest.call('seq_new', i % 2 ? 8 : MODEL);
      await guest.call('seq_chat', seq, ...guest.text(chat));
      seqs.push(seq);
    }
    const both = await submitted(guest, { seq: seqs[0]!, maxTokens: 1 }, { seq: seqs[1]!, maxTokens: 2 });
    const one = await submitted(guest, { seq: seqs[2]! });
    const results = await waited(guest, [one, both]);
    assert.deepEqual(
      results.map(({ ticket, index, seq, tokens }) => [ticket, index, seq, textOf(tokens)]),
      [
        [one, 0, seqs[2], 'Hello'],
        [both, 0, seqs[0], 'H'],
        [both, 1, seqs[1], 'He'],
      ],
    );
    await refused(guest, GuestError.noHandle, /no ticket/, 'wait', ...guest.words([one]), 0, guest.out, 100);
  });

  test('any: as soon as one is complete', async () => {
    const guest = made();
    const [slow, quick] = [await chatOf(guest), await chatOf(guest)];
    const tickets = [
      await submitted(guest, { seq: slow, flags: 4, maxTokens: 100_000 }),
      await submitted(guest, { seq: quick, maxTokens: 1 }),
    ];
    const first = await waited(guest, tickets, { any: 1 });
    assert.deepEqual(
      first.map(({ seq }) => seq),
      [quick],
    );
    assert.equal(await guest.call('cancel', tickets[0]!), 0);
    const [cancelled] = await waited(guest, [tickets[0]!], { any: 1 });
    assert.equal(cancelled!.reason, 3);
    assert.ok(cancelled!.tokens.length > 0, 'what it had said is kept');
    assert.equal(await guest.call('seq_length', slow), 5 + cancelled!.tokens.length - 1);
  });

  test('too little room: nothing is consumed; room 0 asks for the size', async () => {
    const guest = made();
    const seq = await chatOf(guest);
    const ticket = await submitted(guest, { seq });
    const size = 32 + 5 * 4;
    assert.equal(await guest.call('wait', ...guest.words([ticket]), 0, 0, 0), size);
    await refused(guest, GuestError.bufferTooSmall, /52/, 'wait', ...guest.words([ticket]), 0, guest.out, size - 1);
    await refused(guest, GuestError.busy, /wait for it/, 'seq_truncate', seq, 0);
    assert.equal((await waited(guest, [ticket])).length, 1);
  });

  test('a sequence is busy until its ticket was waited for', async () => {
    const guest = made();
    const seq = await chatOf(guest);
    const ticket = await submitted(guest, { seq, maxTokens: 1 });
    const [at, length] = guest.text('a');
    const changes: [string, ...number[]][] = [
      ['seq_chat', seq, at, length],
      ['seq_text', seq, at, length, 0],
      ['seq_push', seq, at, 0],
      ['seq_fork', seq, guest.out, 1],
      ['seq_truncate', seq, 0],
      ['seq_save', seq, at, length, 0],
      ['seq_sampler', seq, ...guest.text('{}')],
      ['seq_adapter', seq, 0, 0],
      ['seq_bias', seq, at, 0, 0],
      ['seq_mask', seq, at, 9],
      ['seq_constrain', seq, 0],
      ['submit', ...requests(guest, [{ seq }])],
      ['logits', seq, guest.out, 1000],
    ];
    for (const [name, ...args] of changes) await refused(guest, GuestError.busy, /busy with ticket/, name, ...args);
    assert.equal(await guest.call('seq_length', seq), 4, 'reading is no change');
    await waited(guest, [ticket]);
    assert.equal(await guest.call('seq_truncate', seq, 0), 0);
  });

  test('a sequence that is freed while it is busy cancels its ticket', async () => {
    const guest = made();
    const seq = await chatOf(guest);
    const ticket = await submitted(guest, { seq, flags: 4, maxTokens: 100_000 });
    assert.equal(await guest.call('seq_free', seq), 0);
    const [result] = await waited(guest, [ticket]);
    assert.equal(result!.reason, 3);
    await refused(guest, GuestError.noHandle, /no sequence/, 'seq_length', seq);
  });

  test('records stay below a mebibyte: an answer with many scores ends early', async () => {
    const guest = made();
    const seq = await chatOf(guest);
    const scoreIds = Array.from({ length: 256 }, (_, i) => i);
    await answerOf(guest, { seq, maxTokens: 0xffff_ffff, scoreIds, topK: 20, stopTexts: ['H'] }).catch(() => {});
    assert.equal(guest.submissions[0]!.maxTokens, Math.floor((1024 * 1024) / (8 + 160 + 1024)));
  });

  test('what is no request', async () => {
    const guest = made();
    const seq = await chatOf(guest);
    const empty = await guest.call('seq_new', MODEL);
    const bad: [RegExp, ...Wish[]][] = [
      [/stands there twice/, { seq }, { seq }],
      [/empty/, { seq: empty }],
      [/no flag 16/, { seq, flags: 16 }],
      [/top_k 21/, { seq, topK: 21 }],
      [/no token 999/, { seq, stopIds: [999] }],
      [/no token 999/, { seq, draft: [999] }],
      [/no token 999/, { seq, scoreIds: [999] }],
      [/257; 256 are allowed/, { seq, scoreIds: Array.from({ length: 257 }, () => 1) }],
      [/stop text has/, { seq, stopTexts: [''] }],
      [/33 stop texts/, { seq, stopTexts: Array.from({ length: 33 }, () => 'a') }],
    ];
    for (const [words, ...wishes] of bad) {
      await refused(guest, GuestError.invalidArgument, words, 'submit', ...requests(guest, wishes));
    }
    const [at] = requests(guest, [{ seq }]);
    guest.memory.view(at + 60, 4)!.setUint32(0, 1, true);
    await refused(guest, GuestError.invalidArgument, /byte 60 is reserved/, 'submit', at, 1);
    await refused(guest, GuestError.invalidArgument, /0 requests/, 'submit', at, 0);
    await refused(guest, GuestError.invalidArgument, /65 requests/, 'submit', at, 65);
    assert.equal(guest.open(), 0);
    assert.equal(await guest.call('seq_truncate', seq, 0), 0, 'nothing is busy');
  });

  test('waiting for nothing', async () => {
    const guest = made();
    const seq = await chatOf(guest);
    const ticket = await submitted(guest, { seq });
    await refused(guest, GuestError.nothingToWaitFor, /no ticket to wait for/, 'wait', 0, 0, 0, guest.out, 100);
    await refused(guest, GuestError.noHandle, /no ticket 5/, 'wait', ...guest.words([5]), 0, guest.out, 100);
    const twice = guest.words([ticket, ticket]);
    await refused(guest, GuestError.invalidArgument, /twice/, 'wait', ...twice, 0, guest.out, 100);
    await refused(guest, GuestError.invalidArgument, /any is/, 'wait', ...guest.words([ticket]), 2, guest.out, 100);
    await refused(guest, GuestError.noHandle, /no ticket/, 'cancel', seq);
  });

  test("the host's errors have codes", async () => {
    const codes: [unknown, number][] = [
      [new RealmError('permission_denied', 'no'), GuestError.notPermitted],
      [new RealmError('context_length_exceeded', 'no'), GuestError.contextTooLong],
      [new RealmError('insufficient_quota', 'no'), GuestError.budgetSpent],
      [new RealmError('rate_limit_exceeded', 'no'), GuestError.budgetSpent],
      [new RealmError('queue_full', 'no'), GuestError.budgetSpent],
      [new RealmError('constraint_dead_end', 'no'), GuestError.deadEnd],
      [new RealmError('queue_timeout', 'no'), GuestError.outOfTime],
      [new RealmError('invalid_request', 'no'), GuestError.invalidArgument],
      [new RealmError('engine_failed', 'no'), GuestError.generationFailed],
      [new TypeError('secret'), GuestError.generationFailed],
    ];
    for (const [error, code] of codes) {
      const guest = made(scripted(says(''), { submit: () => Promise.reject(error) }));
      const result = await answerOf(guest, { seq: await chatOf(guest) });
      assert.deepEqual([result.reason, result.error], [4, code]);
      assert.ok(guest.state.hostFailed);
      assert.deepEqual(guest.errors, [error]);
      assert.doesNotMatch(guest.lastError(), /secret/);
    }
  });

  test('a host without sequences', async () => {
    const { host, ...script } = scripted();
    const guest = made({ ...script, host: { ...host, sequences: undefined } });
    const seq = await guest.call('seq_new', MODEL);
    await refused(guest, GuestError.notSupported, /no sequences/, 'seq_text', seq, ...guest.text('a'), 0);
  });
});
