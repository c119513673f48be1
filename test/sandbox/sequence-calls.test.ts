/** Every function of ABI v2, and every code, without a process. */
import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import fc from 'fast-check';
import { RealmError } from '../../src/errors.ts';
import { GuestError } from '../../src/sandbox/abi.ts';
import { sequenceFunctions } from '../../src/sandbox/v2/functions.ts';
import { boundCalls } from '../../src/sandbox/v2/imports.ts';
import { type BoundGuest, boundGuest, readResults, requests, type Wish } from './bound-guest.ts';
import { words as byteWords, says, scripted, vocabulary } from './scripted-sequences.ts';

const guests: BoundGuest[] = [];
const made = (...args: Parameters<typeof boundGuest>): BoundGuest => {
  const guest = boundGuest(...args);
  guests.push(guest);
  return guest;
};

/** However a test ends, nothing is left. */
afterEach(async () => {
  for (const guest of guests.splice(0)) {
    guest.end();
    for (let i = 0; i < 20 && guest.open() > 0; i++) await new Promise(setImmediate);
    assert.equal(guest.open(), 0, 'submissions of the host');
    await new Promise(setImmediate);
    assert.deepEqual(guest.run.counts, { submissions: 0, constraints: 0 });
    assert.deepEqual(guest.guest.counts, { sequences: 0, constraints: 0, tickets: 0, parsers: 0 });
  }
});

const MODEL = 7;
const chat = JSON.stringify({ messages: [{ role: 'user', content: 'Hi' }] });

async function chatOf(guest: BoundGuest): Promise<number> {
  const seq = await guest.call('seq_new', MODEL);
  assert.ok((await guest.call('seq_chat', seq, ...guest.text(chat))) > 0);
  return seq;
}

async function submitted(guest: BoundGuest, ...wishes: Wish[]): Promise<number> {
  return guest.call('submit', ...requests(guest, wishes));
}

async function waited(guest: BoundGuest, tickets: number[], { any = 0, logprobs = false } = {}) {
  const bytes = await guest.call('wait', ...guest.words(tickets), any, guest.out, 65_536);
  assert.ok(bytes > 0, `wait answered ${bytes}: ${guest.lastError()}`);
  return readResults(guest.memory.bytes(guest.out, bytes)!, logprobs);
}

const answerOf = async (guest: BoundGuest, wish: Wish) => (await waited(guest, [await submitted(guest, wish)]))[0]!;
const textOf = (tokens: readonly number[]) => byteWords.text(tokens as never);

async function refused(guest: BoundGuest, code: number, words: RegExp, name: string, ...args: number[]): Promise<void> {
  assert.equal(await guest.call(name, ...args), code, `${name}: ${guest.lastError()}`);
  assert.match(guest.lastError(), words);
}

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

describe('models, parsers and the run', () => {
  test('models', async () => {
    const guest = made();
    assert.equal(await guest.call('model_find', ...guest.text('other')), 8);
    await refused(guest, GuestError.modelNotFound, /no model none/, 'model_find', ...guest.text('none'));
    const length = await guest.call('model_info', MODEL, guest.out, 1000);
    assert.equal(JSON.parse(guest.readText(length)).vocab_size, vocabulary);
    await refused(guest, GuestError.modelNotFound, /no model 3/, 'model_info', 3, 0, 0);
    await refused(guest, GuestError.modelNotFound, /no model 3/, 'seq_new', 3);
  });

  test('logits, embeddings, decoded tokens', async () => {
    const guest = made();
    const seq = await chatOf(guest);
    assert.equal(await guest.call('logits', seq, 0, 0), vocabulary);
    assert.equal(await guest.call('logits', seq, guest.out, vocabulary), vocabulary);
    const row = new Float32Array(guest.memory.bytes(guest.out, vocabulary * 4)!.slice().buffer);
    assert.equal(row.indexOf(Math.max(...row)), 72);
    const [at, length] = guest.text('aab');
    assert.equal(await guest.call('embed', MODEL, at, length, 0, 0), 26);
    await refused(guest, GuestError.bufferTooSmall, /26/, 'embed', MODEL, at, length, guest.out, 25);
    assert.equal(await guest.call('embed', MODEL, at, length, guest.out, 26), 26);
    assert.equal(await guest.call('decode', MODEL, ...guest.words([72, 105]), guest.out, 10), 2);
    assert.equal(guest.readText(2), 'Hi');
  });

  test('an embedding whose room was too small is computed once', async () => {
    let times = 0;
    const embed = async () => Float32Array.of(++times);
    const guest = made(scripted(says(''), { embed }));
    const [at, length] = guest.text('aab');
    await guest.call('embed', MODEL, at, length, 0, 0);
    await guest.call('embed', MODEL, at, length, guest.out, 1);
    assert.equal(times, 1);
  });

  test('parsers read what was fed', async () => {
    const guest = made();
    const parser = await guest.call('parser_new', MODEL, ...guest.text('[]'));
    const fed = (...tokens: number[]) => guest.call('parser_feed', parser, ...guest.words(tokens), guest.out, 1000);
    await fed(72);
    assert.ok((await guest.call('parser_feed', parser, ...guest.words([73]), 0, 0)) > 0, 'the size feeds nothing');
    assert.equal(JSON.parse(guest.readText(await fed(105))).content, 'Hi');
    assert.equal(await guest.call('parser_free', parser), 0);
    await refused(guest, GuestError.noHandle, /no parser/, 'parser_free', parser);
  });

  test('what a run says, in order', async () => {
    const guest = made();
    const emit = (kind: number, text: string) => guest.call('emit', kind, ...guest.text(text));
    assert.equal(await emit(1, 'Hm'), 0);
    assert.equal(await emit(0, 'Yes'), 0);
    assert.equal(await emit(2, '{"name":"f","arguments":{}}'), 0);
    assert.equal(await emit(3, '{"step":1}'), 0);
    assert.equal(await guest.call('log', 2, ...guest.text('careful')), 0);
    await new Promise(resolve => setTimeout(resolve, 5));
    assert.deepEqual(guest.said, ['Yes']);
    assert.deepEqual(guest.emitted, [
      ['reasoning', 'Hm'],
      ['tool_call', '{"name":"f","arguments":{}}'],
      ['event', '{"step":1}'],
    ]);
    assert.deepEqual(guest.logged, ['warn: careful']);
    for (const [kind, text, words] of [
      [4, '', /kind 4/],
      [2, '{"arguments":{}}', /name/],
      [2, '{"name":"f","arguments":1}', /arguments/],
      [3, 'x', /no JSON/],
    ] as const) {
      await refused(guest, GuestError.invalidArgument, words, 'emit', kind, ...guest.text(text));
    }
    await refused(guest, GuestError.invalidArgument, /level 4/, 'log', 4, 0, 0);
  });

  test('tools', async () => {
    const codes: [RealmError, number][] = [
      [new RealmError('tool_not_found', 'no'), GuestError.toolNotFound],
      [new RealmError('tool_failed', 'no'), GuestError.toolFailed],
      [new RealmError('permission_denied', 'no'), GuestError.notPermitted],
    ];
    for (const [error, code] of codes) {
      const guest = made(scripted(says(''), { tool: () => Promise.reject(error) }));
      await refused(guest, code, /no/, 'tool', ...guest.text('f'), ...guest.text('{}'), guest.out, 100);
    }
    let calls = 0;
    const guest = made(scripted(says(''), { tool: async (name, input) => `${name}${input}${++calls}` }));
    const args = [...guest.text('f'), ...guest.text('{}')];
    assert.equal(await guest.call('tool', ...args, 0, 0), 4);
    assert.equal(await guest.call('tool', ...args, guest.out, 100), 4);
    assert.equal(guest.readText(4), 'f{}1', 'asking for the size calls it once');
    await guest.call('tool', ...args, guest.out, 100);
    assert.equal(guest.readText(4), 'f{}2');
  });

  test('budget and last_error', async () => {
    const guest = made();
    await guest.call('seq_new', MODEL);
    const length = await guest.call('budget', guest.out, 1000);
    const { tokens, run } = JSON.parse(guest.readText(length));
    assert.equal(tokens, 1000);
    assert.equal(run.sequences, 63);
    assert.deepEqual([run.host_calls, run.tickets, run.forks], [99_998, 64, 256]);
    assert.ok(run.fuel >= 1e6 - guest.state.spent && run.fuel < 1e6, `${run.fuel}`);
    assert.equal(await guest.call('seq_free', 3), GuestError.noHandle);
    assert.equal(guest.readText(await guest.call('last_error', guest.out, 100)), 'there is no sequence 3');
  });

  test('random bytes: from a seed the same, without never', async () => {
    const draw = async (seed: bigint) => {
      const guest = made(scripted(), { seed });
      const drawn: number[] = [];
      for (let i = 0; i < 2; i++) {
        assert.equal(await guest.call('random', guest.out, 16), 16);
        drawn.push(...guest.memory.bytes(guest.out, 16)!);
      }
      return Buffer.from(drawn).toString('hex');
    };
    assert.equal(await draw(5n), await draw(5n));
    assert.notEqual(await draw(5n), await draw(6n));
    assert.notEqual(await draw(0n), await draw(0n));
    const drawn = await draw(7n);
    assert.notEqual(drawn.slice(0, 32), drawn.slice(32));
    const guest = made();
    await refused(guest, GuestError.invalidArgument, /random bytes/, 'random', 0, 65_537);
  });
});

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
