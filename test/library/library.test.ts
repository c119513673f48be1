/** The library on a small model: chats, streams, aborts, embeddings, tokens, adapters' and sessions' errors, a server. */
import assert from 'node:assert/strict';
import { openAsBlob } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { inspect, loadModel, type Model, RealmError, serve } from '../../src/index.ts';

const path = '../shared/models/SmolLM2-135M-Instruct.Q4_1.gguf';
const question = 'What is the capital of France?';
const greedy = { temperature: 0, maxTokens: 12 };
const refused = (code: string, param?: string) => (error: unknown) => {
  assert.ok(error instanceof RealmError, String(error));
  assert.equal(error.code, code, error.message);
  if (param !== undefined) assert.equal(error.param, param);
  return true;
};

let model: Model;
let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'realm-library-'));
  model = await loadModel(path, { context: 512, threads: 1, sessions: join(folder, 'sessions') });
});
after(async () => {
  await model.close();
  await rm(folder, { recursive: true, force: true });
});

describe('loadModel', () => {
  it('says what was loaded', () => {
    assert.equal(model.info.id, 'smollm2-135m');
    assert.equal(model.info.context, 512);
    assert.equal(model.info.architecture, 'llama');
  });

  it('hears of progress, and counts no further than the file', async () => {
    const seen: number[] = [];
    await using other = await loadModel(path, {
      threads: 1,
      onProgress: ({ phase, done, total }) => {
        assert.equal(phase, 'load');
        assert.ok(done <= total);
        seen.push(done);
      },
    });
    assert.ok(seen.length > 0);
    assert.equal(other.info.context, 8192);
  });

  it('takes a URL, a Blob and bytes for the file', async () => {
    const bytes = await readFile(path);
    const sources = { URL: pathToFileURL(path), Blob: new Blob([bytes]), 'file’s Blob': await openAsBlob(path), bytes };
    const tell = { system: 'Answer the question.', context: 512, threads: 1 };
    for (const [name, source] of Object.entries(sources)) {
      await using same = await loadModel(source, tell);
      assert.match((await same.chat(question, greedy)).text, /Paris/, name);
    }
    await assert.rejects(loadModel(new URL('./missing.gguf', pathToFileURL('/'))), refused('model_file_missing'));
    await assert.rejects(loadModel(bytes.subarray(0, 100)), refused('gguf_truncated'));
    await assert.rejects(loadModel(new Blob(['nonsense'])), RealmError);
  });

  it('refuses what is not there', async () => {
    await assert.rejects(loadModel('./missing.gguf'), refused('model_file_missing'));
    await assert.rejects(loadModel('no-such-model'), refused('model_not_found'));
  });

  it('ends when it is aborted, before and while it loads', async () => {
    await assert.rejects(loadModel(path, { signal: AbortSignal.abort() }), refused('request_cancelled'));
    const late = new AbortController();
    const loading = loadModel(path, { signal: late.signal, threads: 1, onProgress: () => late.abort() });
    await assert.rejects(loading, refused('request_cancelled'));
  });
});

describe('a chat', () => {
  it('is awaited', async () => {
    const { text, finishReason, usage, logprobs } = await model.chat(question, greedy);
    assert.match(text, /Paris/);
    assert.equal(finishReason, 'stop');
    assert.ok(usage.promptTokens > 10 && usage.completionTokens > 5);
    assert.equal(logprobs, undefined);
  });

  it('streams the same text, and is awaited after it', async () => {
    const answer = model.chat([{ role: 'user', content: question }], greedy);
    const pieces: string[] = [];
    for await (const { text } of answer) pieces.push(text);
    assert.ok(pieces.length > 4);
    assert.equal(pieces.join(''), (await answer).text);
    const again: string[] = [];
    for await (const { text } of answer) again.push(text);
    assert.deepEqual(again, pieces);
  });

  it('goes on from the last message, and ends at a stop string', async () => {
    const messages = [
      { role: 'user', content: question },
      { role: 'assistant', content: 'The capital of France is' },
    ];
    const { text } = await model.chat(messages, { ...greedy, continueFinalMessage: true, stop: '.' });
    assert.equal(text, ' Paris');
  });

  it('gives log-probabilities of all its tokens', async () => {
    const { text, logprobs } = await model.chat(question, { ...greedy, logprobs: 2 });
    assert.equal(logprobs!.map(({ token }) => token).join(''), text);
    assert.ok(logprobs!.every(({ logprob, top }) => logprob <= 0 && top.length === 2));
    const { logprobs: own } = await model.chat(question, { ...greedy, logprobs: true });
    assert.ok(own!.every(({ top }) => top.length === 0));
  });

  it('is what its constraint says', async () => {
    const choice = ['Berlin', 'Madrid'];
    const { text, finishReason } = await model.chat(question, { ...greedy, constraint: { choice } });
    assert.ok(choice.includes(text), text);
    assert.equal(finishReason, 'stop');
    const schema = { type: 'object', properties: { city: { type: 'string', maxLength: 20 } }, required: ['city'] };
    const answer = await model.chat(question, {
      temperature: 0,
      constraint: { schema: { ...schema, additionalProperties: false } },
    });
    assert.equal(typeof JSON.parse(answer.text).city, 'string');
    const wrong = model.chat(question, { constraint: { schema: { uniqueItems: true } } });
    await assert.rejects(Promise.resolve(wrong), refused('schema_unsupported', '/uniqueItems'));
    await assert.rejects(
      Promise.resolve(model.generate('a', { constraint: { regex: '(' } })),
      refused('grammar_invalid'),
    );
  });

  it('is one of many at once, each as if it were alone', async () => {
    const questions = [question, 'Name a colour.', 'What is two plus two?'];
    const alone = [];
    for (const each of questions) alone.push((await model.chat(each, greedy)).text);
    const together = await Promise.all(questions.map(each => model.chat(each, { ...greedy, tenant: each })));
    assert.deepEqual(
      together.map(({ text }) => text),
      alone,
    );
  });

  it('ends with its signal, awaited or iterated', async () => {
    const stop = new AbortController();
    const story = model.chat('Tell me a very long story.', { temperature: 0, signal: stop.signal });
    const reading = async () => {
      for await (const _ of story) stop.abort(new Error('enough'));
    };
    await assert.rejects(reading(), refused('request_cancelled'));
    await assert.rejects(Promise.resolve(story), (error: RealmError) => (error.cause as Error).message === 'enough');
    await assert.rejects(
      Promise.resolve(model.chat(question, { signal: AbortSignal.abort() })),
      refused('request_cancelled'),
    );
  });

  it('ends when its reader leaves, and what came until then is its answer', async () => {
    // It does not end by itself.
    const constraint = { regex: '[A-Za-z ,.]{2000}' };
    const story = model.chat('Tell me a very long story.', { temperature: 0, constraint });
    let read = '';
    for await (const { text } of story) {
      read += text;
      if (read.length > 10) break;
    }
    const { text, finishReason } = await story;
    assert.equal(finishReason, 'cancelled');
    assert.ok(text.startsWith(read));
    assert.equal((await model.stats()).running, 0);
  });

  it('refuses what is wrong by its name', async () => {
    const answer = (...args: Parameters<Model['chat']>) => Promise.resolve(model.chat(...args));
    await assert.rejects(answer([]), refused('invalid_request', 'messages'));
    const parts = [{ role: 'user', content: ['text'] as unknown as string }];
    await assert.rejects(answer(parts), refused('invalid_request', 'messages[0].content'));
    await assert.rejects(answer(question, { temperature: 9 }), refused('invalid_request', 'temperature'));
    await assert.rejects(answer(question, { maxTokens: -1 }), refused('invalid_request', 'max_tokens'));
    await assert.rejects(answer(question, { logprobs: 21 }), refused('invalid_request', 'top_logprobs'));
    await assert.rejects(answer(question, { stop: '' }), refused('invalid_request', 'stop'));
    await assert.rejects(answer(question, { adapter: 'none' }), refused('adapter_not_found'));
    await assert.rejects(answer('word '.repeat(600)), refused('context_length_exceeded'));
    await assert.rejects(model.loadAdapter('none', 'missing.gguf'), RealmError);
    await assert.rejects(model.unloadAdapter('none'), refused('adapter_not_found'));
  });
});

describe('a plain text', () => {
  it('goes on without a template', async () => {
    const { text, finishReason } = await model.generate('1, 2, 3, 4,', { temperature: 0, maxTokens: 5 });
    assert.equal(text, ' 5, 6');
    assert.equal(finishReason, 'length');
  });

  it('is the same with the same seed', async () => {
    const options = { temperature: 1, seed: 7, maxTokens: 8 };
    const [one, other] = await Promise.all([model.generate('Once', options), model.generate('Once', options)]);
    assert.equal(one.text, other.text);
  });
});

describe('embeddings', () => {
  it('are of length 1, and the same alone and together', async () => {
    const one = await model.embed('a cat');
    const many = await model.embed(['a cat', 'a car']);
    assert.equal(one.length, model.info.width);
    assert.deepEqual(many[0], one);
    assert.equal(many.length, 2);
    assert.ok(Math.abs(one.reduce((sum, value) => sum + value * value, 0) - 1) < 1e-5);
    assert.deepEqual(await model.embed([]), []);
  });

  it('refuse an empty text and end with their signal', async () => {
    await assert.rejects(model.embed(['a', '']), refused('invalid_request', 'texts[1]'));
    await assert.rejects(model.embed('a', { signal: AbortSignal.abort() }), refused('request_cancelled'));
  });
});

describe('tokens', () => {
  it('give the text back', () => {
    const text = 'Hello, wörld! 🎉';
    assert.equal(model.detokenize(model.tokenize(text)), text);
    assert.deepEqual(model.tokenize('<|im_start|>').length, 1);
    assert.equal(model.detokenize(model.tokenize('<|im_start|>'), { special: true }), '<|im_start|>');
  });

  it('are those of the vocabulary', () => {
    assert.throws(() => model.detokenize([model.info.vocabSize]), refused('invalid_request'));
  });
});

describe('sessions', () => {
  it('are saved after an answer, and spare another model the prompt', async () => {
    const messages = [{ role: 'user', content: `${'Paris is the capital of France. '.repeat(12)}${question}` }];
    const first = await model.chat(messages, { ...greedy, session: 'talk' });
    await using other = await loadModel(path, { context: 512, threads: 1, sessions: join(folder, 'sessions') });
    const second = await other.chat(messages, { ...greedy, session: 'talk' });
    assert.equal(second.text, first.text);
    assert.equal(first.usage.cachedTokens, 0);
    assert.ok(second.usage.cachedTokens >= 64);
  });

  it('need a folder', async () => {
    await using other = await loadModel(path, { context: 64, threads: 1 });
    const answer = Promise.resolve(other.chat(question, { session: 'talk' }));
    await assert.rejects(answer, refused('invalid_request', 'session'));
  });
});

describe('a closed model', () => {
  it('answers no more', async () => {
    const other = await loadModel(path, { context: 64, threads: 1 });
    await other.close();
    await assert.rejects(Promise.resolve(other.chat('Hello')), refused('shutting_down'));
    await other.close();
  });
});

describe('inspect', () => {
  it('describes a file', async () => {
    const file = await inspect(path, { context: 1000 });
    assert.equal(file.parameters, 134_515_008);
    assert.equal(file.metadata['general.architecture'], 'llama');
    assert.ok('context' in file.memory && file.memory.context === 1000);
    assert.ok(file.tensors.some(({ name }) => name === 'token_embd.weight'));
    await assert.rejects(inspect('package.json'), RealmError);
    await assert.rejects(inspect(path, { signal: AbortSignal.abort() }), refused('request_cancelled'));
  });
});

describe('serve', () => {
  it('takes a configuration as an object, and stops with its signal', async () => {
    const stop = new AbortController();
    const lines: string[] = [];
    const server = await serve(
      { server: { port: 0 }, models: [{ id: 'small', path, context: 256 }] },
      { threads: 1, signal: stop.signal, onLog: line => lines.push(line) },
    );
    const { data } = await (await fetch(`${server.url}/v1/models`)).json();
    assert.deepEqual(
      data.map(({ id }: { id: string }) => id),
      ['small'],
    );
    for (const line of lines) JSON.parse(line);
    stop.abort();
    await server.close();
    await assert.rejects(fetch(server.url));
  });

  it('says all that is wrong with it', async () => {
    await assert.rejects(serve({ models: [{}], servers: 1 }), refused('config_invalid'));
    await assert.rejects(serve({}, { signal: AbortSignal.abort() }), refused('request_cancelled'));
  });
});
