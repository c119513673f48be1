import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { RealmError } from '../errors.ts';
import type { TextEvent } from '../llm/types.ts';
import { Generation, type Produce, textAnswer } from './generation.ts';

const usage = { promptTokens: 1, cachedTokens: 0, completionTokens: 3 };

/** Says the words, one a turn of the event loop; ends early when it is aborted. */
const saying = (...words: string[]): Produce => said(words);

/** `cancels`: the signal of whoever asked. */
const said =
  (words: readonly string[], cancels?: AbortSignal): Produce =>
  signal =>
    textAnswer(events(words, signal), cancels);

async function* events(words: readonly string[], signal: AbortSignal): AsyncGenerator<TextEvent> {
  for (const text of words) {
    await turn();
    if (signal.aborted) return yield { kind: 'end', reason: 'cancelled', usage, tokens: [] };
    yield { kind: 'text', text, logprobs: [] };
  }
  yield { kind: 'end', reason: 'stop', usage, tokens: [] };
}

async function read(generation: Generation): Promise<string[]> {
  const words: string[] = [];
  for await (const { text } of generation) words.push(text);
  return words;
}

const words = ['one', ' two', ' three'];
const cancelled = { name: 'RealmError', code: 'request_cancelled' };

describe('a generation', () => {
  it('runs once, for all who await and iterate it', async () => {
    let runs = 0;
    const produce: Produce = signal => {
      runs++;
      return saying(...words)(signal);
    };
    const generation = new Generation(produce, undefined);
    const [first, answer, second] = await Promise.all([read(generation), generation, read(generation)]);
    assert.deepEqual([first, second, await read(generation)], [words, words, words]);
    assert.deepEqual(answer, { text: 'one two three', finishReason: 'stop', usage });
    assert.equal(runs, 1);
  });

  it('leaves out chunks that say nothing', async () => {
    assert.deepEqual(await read(new Generation(saying('a', '', 'b'), undefined)), ['a', 'b']);
  });

  it('ends for all when one reader leaves', async () => {
    const generation = new Generation(saying(...words), undefined);
    for await (const _ of generation) break;
    const { text, finishReason } = await generation;
    assert.deepEqual({ text, finishReason }, { text: 'one', finishReason: 'cancelled' });
  });

  it('is not ended by a reader who has read it all', async () => {
    const generation = new Generation(saying(...words), undefined);
    await read(generation);
    assert.equal((await generation).finishReason, 'stop');
  });

  it('fails with its signal, with the reason as the cause', async () => {
    const stop = new AbortController();
    const generation = new Generation(said(words, stop.signal), stop.signal);
    stop.abort('enough');
    await assert.rejects(read(generation), { ...cancelled, cause: 'enough' });
    await assert.rejects(Promise.resolve(generation), cancelled);
  });

  it('is not begun where the signal was aborted before', async () => {
    const generation = new Generation(() => assert.fail('it was begun'), AbortSignal.abort());
    await assert.rejects(read(generation), cancelled);
  });

  it('fails with a code whatever went wrong, and nobody has to listen', async () => {
    const failing = (error: Error): Produce =>
      // biome-ignore lint/correctness/useYield: it fails before it says anything
      async function* () {
        throw error;
      };
    const own = new RealmError('queue_full', 'later');
    await assert.rejects(Promise.resolve(new Generation(failing(own), undefined)), own);
    await assert.rejects(read(new Generation(failing(new TypeError('oops')), undefined)), { code: 'internal_error' });
    new Generation(failing(own), undefined);
    await turn();
  });
});
