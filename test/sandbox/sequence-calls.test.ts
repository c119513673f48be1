/** Functions of ABI v2 without a process: the table, sequences and constraints. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RealmError } from '../../src/errors.ts';
import { GuestError } from '../../src/sandbox/abi.ts';
import { sequenceFunctions } from '../../src/sandbox/v2/functions.ts';
import { boundCalls } from '../../src/sandbox/v2/imports.ts';
import { boundGuest } from './bound-guest.ts';
import { says, scripted, vocabulary } from './scripted-sequences.ts';
import { answerOf, chatOf, MODEL, made, refused, submitted, textOf, waited } from './sequence-guests.ts';

test('the table of functions is what there is', () => {
  const calls = boundCalls(boundGuest().guest);
  assert.deepEqual(Object.keys(calls).sort(), [...sequenceFunctions.keys()].sort());
});

describe('sequences', () => {
  test('a chat is answered', async () => {
    const guest = made();
    const seq = await chatOf(guest);
    const { reason, error, tokens, ...rest } = await answerOf(guest, { seq });
    assert.equal(textOf(tokens), 'Hello');
    assert.deepEqual({ reason, error, seq: rest.seq, index: rest.index }, { reason: 0, error: 0, seq, index: 0 });
    const length = await guest.call('seq_length', seq);
    assert.equal(await guest.call('seq_tokens', seq, 0, guest.out, 1000), length);
    assert.equal(textOf(guest.readWords(length)), '<user>Hi<assistant>Hello');
    assert.equal(await guest.call('seq_tokens', seq, length - 5, guest.out, 1000), 5);
    assert.equal(await guest.call('seq_tokens', seq, length + 5, guest.out, 1000), 0);
    assert.equal(await guest.call('seq_tokens', seq, 0, 0, 0), length, 'room 0 asks for the number');
  });

  test('text, with control tokens and the beginning of a text', async () => {
    const guest = made();
    const seq = await guest.call('seq_new', MODEL);
    assert.equal(await guest.call('seq_text', seq, ...guest.text('<s>'), 0), 3);
    assert.equal(await guest.call('seq_text', seq, ...guest.text('<s>'), 1), 4);
    assert.equal(await guest.call('seq_text', seq, ...guest.text('a'), 2), 6);
    await refused(guest, GuestError.invalidArgument, /flag 4/, 'seq_text', seq, ...guest.text('a'), 4);
  });

  test('forks go on by themselves, truncation comes back', async () => {
    const guest = made(scripted(says('Hello')));
    const seq = await chatOf(guest);
    const length = await guest.call('seq_length', seq);
    assert.equal(await guest.call('seq_fork', seq, guest.out, 2), 2);
    const [a, b] = guest.readWords(2) as [number, number];
    assert.equal(await guest.call('seq_push', a, ...guest.words([72, 101])), length + 2);
    assert.equal(await guest.call('seq_push', b, ...guest.words([72])), length + 1);
    assert.equal(textOf((await answerOf(guest, { seq: a, maxTokens: 1 })).tokens), 'l');
    assert.equal(textOf((await answerOf(guest, { seq: b, maxTokens: 1 })).tokens), 'e');
    assert.equal(await guest.call('seq_length', seq), length);
    assert.equal(await guest.call('seq_truncate', a, length + 1), length + 1);
    assert.equal(textOf((await answerOf(guest, { seq: a, maxTokens: 2 })).tokens), 'el');
    assert.equal(await guest.call('seq_truncate', a, 1000), length + 3, 'it never grows');
  });

  test('what is of the answer: generated and pushed tokens, until text of a prompt follows', async () => {
    const guest = made();
    const seq = await chatOf(guest);
    const answered = () => guest.submissions.at(-1)!.answered;
    await guest.call('seq_push', seq, ...guest.words([72]));
    await answerOf(guest, { seq, maxTokens: 2 });
    assert.equal(answered(), 0, 'nothing had begun');
    await guest.call('seq_push', seq, ...guest.words([108]));
    await answerOf(guest, { seq, maxTokens: 1 });
    assert.equal(answered(), 3);
    await guest.call('seq_truncate', seq, (await guest.call('seq_length', seq)) - 3);
    await answerOf(guest, { seq, maxTokens: 1 });
    assert.equal(answered(), 1);
    await guest.call('seq_text', seq, ...guest.text('<assistant>'), 1);
    await answerOf(guest, { seq, maxTokens: 1 });
    assert.equal(answered(), 0);
  });

  test('saved and opened again', async () => {
    const guest = made();
    const seq = await chatOf(guest);
    await answerOf(guest, { seq, maxTokens: 2 });
    assert.equal(await guest.call('seq_save', seq, ...guest.text('mine'), 60), 0);
    const again = await guest.call('seq_open', MODEL, ...guest.text('mine'));
    assert.equal(await guest.call('seq_length', again), await guest.call('seq_length', seq));
    assert.equal(textOf((await answerOf(guest, { seq: again, maxTokens: 9 })).tokens), 'llo');
    assert.equal(guest.submissions.at(-1)!.answered, 2);
    await refused(guest, GuestError.noHandle, /nothing is saved as yours/, 'seq_open', MODEL, ...guest.text('yours'));
  });

  test('saving over the quota is a limit', async () => {
    const quota = () => Promise.reject(new RealmError('insufficient_quota', 'Too much is saved.'));
    const guest = made(scripted(says(''), { save: quota }));
    const seq = await chatOf(guest);
    await refused(guest, GuestError.limit, /Too much/, 'seq_save', seq, ...guest.text('k'), 1);
  });

  test('samplers, biases, masks and adapters reach the host', async () => {
    const guest = made(scripted(() => ({ a: 0.6, b: 0.3, c: 0.1 })));
    const seq = await chatOf(guest);
    const sampler = { temperature: 0, top_p: 0.5, top_k: 4, min_p: 0.1, seed: 3, penalty_window: 7 };
    assert.equal(await guest.call('seq_sampler', seq, ...guest.text(JSON.stringify(sampler))), 0);
    assert.equal(await guest.call('seq_adapter', seq, ...guest.text('legal')), 0);
    const bias = (token: number, value: number) => {
      const pair = new DataView(new ArrayBuffer(8));
      pair.setUint32(0, token, true);
      pair.setFloat32(4, value, true);
      return guest.place(new Uint8Array(pair.buffer))[0];
    };
    assert.equal(await guest.call('seq_bias', seq, bias(97, -50), 1, 1), 0);
    assert.equal(textOf((await answerOf(guest, { seq, maxTokens: 2 })).tokens), 'bb');
    const { sampling, adapter } = guest.submissions.at(-1)!;
    assert.equal(adapter, 'legal');
    const { logitBias, ...numbers } = sampling;
    assert.deepEqual([...(logitBias as Float64Array)], [97, -50]);
    assert.deepEqual(numbers, { temperature: 0, topP: 0.5, topK: 4, minP: 0.1, seed: 3, penaltyWindow: 7 });
    assert.equal(await guest.call('seq_bias', seq, bias(99, 50), 1, 0), 0);
    assert.equal(textOf((await answerOf(guest, { seq, maxTokens: 3 })).tokens), 'cbb', 'of the next token alone');
    const mask = new Uint32Array(Math.ceil(vocabulary / 32));
    mask[3] = 1 << 4; // d
    assert.equal(await guest.call('seq_mask', seq, ...guest.words(mask)), 0);
    assert.equal(textOf((await answerOf(guest, { seq, maxTokens: 2 })).tokens), 'db');
    await refused(guest, GuestError.invalidArgument, /9 are right/, 'seq_mask', seq, guest.words(mask)[0], 8);
    await refused(guest, GuestError.invalidArgument, /nothing follow/, 'seq_mask', seq, guest.size - 64, mask.length);
    await refused(guest, GuestError.invalidArgument, /no token 999/, 'seq_bias', seq, bias(999, 1), 1, 1);
    await refused(guest, GuestError.invalidArgument, /from -100 to 100/, 'seq_bias', seq, bias(9, 101), 1, 1);
    await refused(guest, GuestError.modelNotFound, /no adapter/, 'seq_adapter', seq, ...guest.text('other'));
    assert.equal(await guest.call('seq_adapter', seq, 0, 0), 0);
    for (const [bad, why] of [
      ['{"temperature":9}', /temperature: must be a number from 0 to 2/],
      ['{"temperature":"1"}', /must be a number/],
      ['{"heat":1}', /no field heat/],
      ['[]', /must be a JSON object/],
      ['{', /no JSON/],
    ] as const) {
      await refused(guest, GuestError.invalidArgument, why, 'seq_sampler', seq, ...guest.text(bad));
    }
  });

  test('sequences of a request with a seed draw differently, the first as a plain request', async () => {
    const guest = made(scripted(), { seed: 5n });
    const seq = await chatOf(guest);
    await guest.call('seq_fork', seq, guest.out, 1);
    const [fork] = guest.readWords(1) as [number];
    await waited(guest, [await submitted(guest, { seq }, { seq: fork })]);
    const [first, second] = guest.submissions.map(({ sampling }) => sampling.seed);
    assert.equal(first, 5n);
    assert.notEqual(second, 5n);
  });
});

describe('constraints', () => {
  const kinds: [kind: number, source: string, answer: RegExp][] = [
    [
      1,
      '{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"],"additionalProperties":false}',
      /^\{"a"/,
    ],
    [2, '[0-9]{3}', /^[0-9]{3}$/],
    [3, 'root ::= "yes" | "no"', /^(yes|no)$/],
    [4, 'start: "yes" | "no"', /^(yes|no)$/],
    [5, '["red","green"]', /^(red|green)$/],
    [6, '{"tools":[{"type":"function","function":{"name":"f"}}],"choice":"required"}', /^\{"name"\s*:\s*"f"/],
  ];
  const table = () => ({ '}': 0.4, '"': 0.3, '1': 0.2, END: 0.1 });

  test('each kind holds an answer, over several submits too', async () => {
    for (const [kind, source, answer] of kinds) {
      const guest = made(scripted(table));
      const seq = await chatOf(guest);
      const constraint = await guest.call('constraint_new', MODEL, kind, ...guest.text(source));
      assert.ok(constraint > 0, guest.lastError());
      assert.equal(await guest.call('seq_constrain', seq, constraint), 0);
      assert.equal(await guest.call('constraint_free', constraint), 0, 'the sequence keeps it');
      let said = '';
      for (let i = 0; i < 12; i++) {
        const { tokens, reason, error } = await answerOf(guest, { seq, maxTokens: 3 });
        assert.equal(error, 0, guest.lastError());
        said += textOf(tokens);
        if (reason === 0) break;
      }
      assert.match(said, answer);
      assert.equal(guest.run.counts.constraints, 1);
      await guest.call('seq_constrain', seq, 0);
      await new Promise(resolve => setTimeout(resolve, 5));
      assert.equal(guest.run.counts.constraints, 0, 'nobody has it any more');
    }
  });

  test('what cannot be', async () => {
    const guest = made();
    const bad: [kind: number, source: string, words: RegExp][] = [
      [0, '', /kind of constraint 0/],
      [7, '', /kind of constraint 7/],
      [2, '(', /./],
      [5, '[1]', /array of strings/],
      [6, '{"tools":1}', /tools/],
      [6, '{"tools":[],"choice":"x"}', /choice/],
    ];
    for (const [kind, source, words] of bad) {
      await refused(guest, GuestError.invalidArgument, words, 'constraint_new', MODEL, kind, ...guest.text(source));
    }
    assert.equal(guest.guest.counts.constraints, 0);
    const seq = await chatOf(guest);
    const other = await guest.call('constraint_new', 8, 2, ...guest.text('a'));
    await refused(guest, GuestError.invalidArgument, /another model/, 'seq_constrain', seq, other);
  });

  test('one that dies', async () => {
    const guest = made();
    const seq = await chatOf(guest);
    const constraint = await guest.call('constraint_new', MODEL, 2, ...guest.text('abc'));
    await guest.call('seq_constrain', seq, constraint);
    await guest.call('seq_push', seq, ...guest.words([97]));
    const mask = new Uint32Array(Math.ceil(vocabulary / 32));
    mask[3] = 1; // `
    await guest.call('seq_mask', seq, ...guest.words(mask));
    const { reason, error, tokens } = await answerOf(guest, { seq });
    assert.deepEqual({ reason, error, tokens }, { reason: 4, error: GuestError.deadEnd, tokens: [] });
    assert.match(guest.lastError(), /constraint_dead_end/);
    assert.ok(guest.state.hostFailed);
  });
});
