/** Functions of ABI v2 without a process: models, parsers, and what a program asks of its run. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RealmError } from '../../src/errors.ts';
import { GuestError } from '../../src/sandbox/abi.ts';
import { says, scripted, vocabulary } from './scripted-sequences.ts';
import { chatOf, MODEL, made, refused } from './sequence-guests.ts';

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
