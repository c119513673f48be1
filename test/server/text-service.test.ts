/** The service for text and its thread, on the tokenizer of a synthetic model file. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeSynthetic } from '../../scripts/synthetic/model.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { type ModelText, openModelText, type TextModel } from '../../src/llm/model-text.ts';
import { type TextCall, TextService } from '../../src/server/text/service.ts';
import { defaultConfig } from '../../src/tenancy/config.ts';

let folder: string;
let text: ModelText;
/** With the thread, and without. */
let long: TextModel;
let here: TextModel;
const samples: string[] = [];
const service = new TextService({ bodyBytes: 1 << 20, observe: ({ job, model }) => samples.push(`${job} ${model}`) });
const never = new AbortController().signal;
const call = (model: TextModel | undefined, owner = 'a', signal = never): TextCall => ({
  owner: { id: owner },
  ...(model && { model }),
  signal,
});
const withCode = (code: ErrorCode) => (error: { code?: string }) => error.code === code;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'realm-text-'));
  const path = join(folder, 'model.gguf');
  writeSynthetic(path);
  text = await openModelText(path);
  here = { ...text, id: 'here' };
  long = { ...text, id: 'long', textSource: { path } };
});
after(async () => {
  await service.close();
  await rm(folder, { recursive: true });
});

const words = Array.from({ length: 6_000 }, (_, i) => `word${i} 🙂 `).join('');

describe('the service for text', () => {
  it('gives the same from its thread as at once', async () => {
    const both = async <T>(run: (model: TextModel) => Promise<T>) => [await run(long), await run(here)] as const;
    const [tokens, same] = await both(model => service.run('encode', call(model), { text: words }));
    assert.ok(tokens.length > 6_000);
    assert.deepEqual(tokens, same);
    assert.deepEqual([...tokens], text.tokenizer.encode(words));
    const [decoded, again] = await both(model => service.run('decode', call(model), tokens));
    assert.equal(decoded, again);
    const request = { text: words, addSpecial: true, parseSpecial: true, pieces: true };
    const [answer, inline] = await both(model => service.run('tokenizeAnswer', call(model), request));
    assert.deepEqual(Buffer.from(answer), Buffer.from(inline));
    const chat = { kind: 'chat' as const, text: JSON.stringify({ messages: [{ role: 'user', content: words }] }) };
    const [prompt, other] = await both(model => service.run('prompt', call(model), { ...chat, context: 1e9 }));
    assert.deepEqual(prompt, other);
    assert.ok(samples.includes('encode long') && samples.includes('encode here'));
  });

  it('refuses what cannot fit by its length, and knows what a token stands for', async () => {
    const most = text.tokenizer.maxTokenBytes!;
    const tokens = text.tokenizer.encode(words);
    assert.ok(tokens.every(token => text.tokenizer.bytes(token, { special: true }).length <= most));
    const completion = (context: number) => ({ kind: 'completion' as const, text: words, context });
    const fits = Math.ceil(Buffer.byteLength(words) / most);
    assert.equal((await service.run('prompt', call(here), completion(tokens.length + 1))).tokens.length, tokens.length);
    const refused = async (context: number, message: RegExp) => {
      for (const model of [here, long]) {
        const answer = service.run('prompt', call(model), completion(context));
        await assert.rejects(answer, { code: 'context_length_exceeded', message, param: 'prompt' });
      }
    };
    await refused(fits, new RegExp(`has ${tokens.length} tokens`));
    await refused(fits - 1, /has \d+ bytes/);
  });

  it('hands errors on from its thread', async () => {
    const bytes = Buffer.from(JSON.stringify({ messages: Array(20_000).fill(1) }));
    const body = { form: 'chat' as const, bytes, limits: defaultConfig().limits };
    await assert.rejects(service.run('body', call(undefined), body), {
      code: 'invalid_request',
      message: 'messages: must have at most 1024 entries',
      param: 'messages',
    });
  });

  it('forgets what nobody waits for, begun or not', async () => {
    const controller = new AbortController();
    const runs = Array.from({ length: 3 }, () =>
      service.run('encode', call(long, 'a', controller.signal), { text: words.repeat(10) }),
    );
    const reason = new Error('gone');
    const gone = Promise.all(runs.map(run => assert.rejects(run, error => error === reason)));
    await sleep(30);
    controller.abort(reason);
    await gone;
    await assert.rejects(
      service.run('encode', call(long, 'a', controller.signal), { text: 'short' }),
      error => error === reason,
    );
    assert.equal(
      (await service.run('encode', call(long), { text: words })).length,
      text.tokenizer.encode(words).length,
    );
  });

  it('lets a short text of one tenant pass the long one of another', async () => {
    const order: string[] = [];
    const run = (owner: string, content: string) =>
      service.run('encode', call(long, owner), { text: content }).then(() => order.push(owner));
    await Promise.all([run('greedy', words.repeat(20)), run('greedy', words), run('modest', words.slice(0, 20_000))]);
    assert.deepEqual(order, ['modest', 'greedy', 'greedy']);
  });

  it('survives its thread: what was begun fails, the rest is done by another', async () => {
    const small = new TextService({ bodyBytes: 1, heapMb: 48 });
    const rows = Array.from({ length: 400_000 }, (_, i) => ({ i }));
    const bytes = Buffer.from(JSON.stringify({ messages: rows }));
    const body = { form: 'chat' as const, bytes, limits: { ...defaultConfig().limits, messages: 1_000_000 } };
    const dies = small.run('body', call(undefined, 'a'), body);
    const lives = small.run('body', call(undefined, 'b'), { ...body, bytes: Buffer.alloc(20_000, ' ') });
    await Promise.all([assert.rejects(dies, withCode('text_failed')), assert.rejects(lives, withCode('invalid_json'))]);
    await assert.rejects(
      small.run('body', call(undefined, 'b'), { ...body, bytes: Buffer.alloc(20_000, ' ') }),
      withCode('invalid_json'),
    );
    await small.close();
  });
});
