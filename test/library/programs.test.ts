/** Programs in the library: what the server answers, the server's limits, and the caller's own tools. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { LocalRun } from '../../src/cli/local-run.ts';
import { loadModel, loadProgram, type Model, type Program, RealmError, type RunChunk } from '../../src/index.ts';
import { compiled } from '../guest/compiled.ts';
import { passOn, program, streamTokens } from '../sandbox/helpers.ts';
import { codesOf, sequenceProgram } from '../sandbox/sequence-program.ts';

const path = '../shared/models/SmolLM2-135M-Instruct.Q4_1.gguf';
const refused = (code: string, message?: RegExp) => (error: unknown) => {
  assert.ok(error instanceof RealmError, String(error));
  assert.equal(error.code, code, error.message);
  if (message) assert.match(error.message, message);
  return true;
};

let model: Model;
let folder: string;
let passing: Program;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'realm-programs-'));
  model = await loadModel(path, { context: 512, threads: 1 });
  passing = await loadProgram(program(`${passOn} (i32.const 0)`, streamTokens));
});
after(async () => {
  await model.close();
  await rm(folder, { recursive: true, force: true });
});

describe('loadProgram', () => {
  it('takes bytes, a Blob, a path and a URL of a file', async () => {
    const bytes = program('(i32.const 0)');
    const file = join(folder, 'quiet.wasm');
    await writeFile(file, bytes);
    const all = [bytes, new Blob([bytes as BlobPart]), file, pathToFileURL(file)];
    const loaded = await Promise.all(all.map(source => loadProgram(source)));
    assert.deepEqual(
      loaded.map(({ name }) => name),
      ['program', 'program', 'quiet', 'quiet'],
    );
    assert.equal(new Set(loaded.map(({ digest }) => digest)).size, 1);
  });

  it('refuses what is no program, and what is not there', async () => {
    await assert.rejects(loadProgram(new Uint8Array(8)), refused('program_invalid'));
    await assert.rejects(loadProgram(join(folder, 'none.wasm')), refused('program_not_found', /none\.wasm/));
    await assert.rejects(loadProgram('http://127.0.0.1:1/x.wasm'), refused('download_failed'));
    await assert.rejects(loadProgram('x', { signal: AbortSignal.abort() }), refused('request_cancelled'));
  });
});

describe('a program', () => {
  it('says what it says on a server, with the same fuel and the same tokens', async () => {
    const bytes = await compiled('assembly', 'best-of-n');
    const file = join(folder, 'best-of-n.wasm');
    await writeFile(file, bytes);
    const messages = [{ role: 'user', content: 'Name a colour.' }];
    const { text, fuel, usage } = await model.run(await loadProgram(file), { messages }, { seed: 5, maxTokens: 4 });
    await using server = await LocalRun.start(file, { model: path, context: 512, threads: 1 });
    const pieces = await Array.fromAsync(
      server.answer({ messages, seed: 5, max_tokens: 4 }, new AbortController().signal),
    );
    const cost = await server.cost();
    assert.equal(text, pieces.join(''));
    assert.deepEqual(
      [fuel, usage.promptTokens, usage.completionTokens],
      [cost.fuel, cost.input_tokens, cost.output_tokens],
    );
  });

  it('of ABI v1 says what the model says', async () => {
    const options = { temperature: 0, maxTokens: 8 };
    const chunks: RunChunk[] = [];
    const run = model.run(passing, 'What is the capital of France?', options);
    for await (const chunk of run) chunks.push(chunk);
    const plain = await model.chat('What is the capital of France?', options);
    const { text, finishReason, usage } = await run;
    assert.deepEqual([text, finishReason], [plain.text, plain.finishReason]);
    assert.equal(usage.completionTokens, plain.usage.completionTokens);
    assert.equal(chunks.map(chunk => (chunk.kind === 'text' ? chunk.text : '')).join(''), text);
  });

  it('says thoughts, calls and events beside its text, in their order', async () => {
    const says = sequenceProgram(texts => {
      const emit = (kind: number, text: string) => `(drop (call $emit (i32.const ${kind}) ${texts.at(text)}))`;
      return `${emit(1, 'Hm')} ${emit(0, 'Yes')} ${emit(2, '{"name":"add","arguments":{"a":1}}')} ${emit(3, '{"step":2}')}`;
    });
    const run = model.run(await loadProgram(says), 'x');
    const kinds: string[] = [];
    for await (const { kind } of run) kinds.push(kind);
    const { text, reasoning, calls } = await run;
    assert.deepEqual(kinds, ['reasoning', 'text', 'call', 'event']);
    assert.deepEqual([text, reasoning], ['Yes', 'Hm']);
    assert.deepEqual(
      calls.map(({ name, arguments: given }) => [name, given]),
      [['add', '{"a":1}']],
    );
  });

  it('calls the tools that it is given, and hears why one fails', async () => {
    const asks = sequenceProgram(texts => {
      const input = texts.at('{"a":2}');
      const call = `(call $tool ${texts.at('twice')} ${input} (i32.const 16384) (i32.const 4096))`;
      return `(local.set $n ${call}) (call $say (local.get $n))
        (drop (call $emit (i32.const 0) (i32.const 16384) (select (local.get $n) (i32.const 0)
          (i32.gt_s (local.get $n) (i32.const 0)))))
        (drop (call $log (i32.const 1) ${texts.at('asked')}))`;
    });
    const asking = await loadProgram(asks);
    const heard: string[] = [];
    const twice = (input: unknown) => 2 * (input as { a: number }).a;
    const answer = await model.run(asking, 'x', {
      tools: { twice },
      onLog: (level, text) => heard.push(`${level} ${text}`),
    });
    assert.equal(answer.text, '40');
    assert.deepEqual(heard, ['info asked']);
    const fails = () => {
      throw new Error('no');
    };
    assert.deepEqual(codesOf((await model.run(asking, 'x', { tools: { twice: fails } })).text), [-16]);
    assert.deepEqual(codesOf((await model.run(asking, 'x', { tools: { toString: twice } })).text), [-17]);
  });

  it('keeps sequences for its later runs, as many as it may', async () => {
    const saves = sequenceProgram(
      texts => `(local.set $n (call $seq_open (global.get $model) ${texts.at('key')}))
        (call $say (local.get $n))
        (if (i32.lt_s (local.get $n) (i32.const 0)) (then (call $begin)
          (call $say (call $seq_save (global.get $seq) ${texts.at('key')} (i32.const 60)))))`,
    );
    const saving = await loadProgram(saves);
    const codes = async (limits = {}) => codesOf((await model.run(saving, 'x', { tenant: 'keeper', limits })).text);
    assert.deepEqual(await codes({ savedSequences: 0 }), [-10, -11]);
    assert.deepEqual([await codes(), await codes()], [[-10, 0], [0]]);
  });

  it('knows one model, and the adapters that it has', async () => {
    const asks = sequenceProgram(
      texts => `(call $begin) (call $say (call $seq_adapter (global.get $seq) ${texts.at('none')}))
        (call $say (call $model_find ${texts.at('other')})) (call $say (call $seq_new (i32.const 99)))
        (drop (call $model_find ${texts.at('smollm2-135m')}))`,
    );
    assert.deepEqual(codesOf((await model.run(await loadProgram(asks), 'x')).text), [-4, -4, -4]);
  });

  it('is held to its limits', async () => {
    const forever = await loadProgram(program('(loop $l (br $l)) (i32.const 0)'));
    const fuel = { limits: { fuel: 1_000_000 } };
    await assert.rejects(Promise.resolve(model.run(forever, 'x', fuel)), refused('program_out_of_fuel'));
    const late = { limits: { fuel: 1e15, deadlineMs: 300 } };
    await assert.rejects(Promise.resolve(model.run(forever, 'x', late)), refused('program_deadline', /300/));
    const stop = new AbortController();
    const run = model.run(forever, 'x', { ...late, signal: stop.signal });
    setTimeout(() => stop.abort(), 50);
    await assert.rejects(Promise.resolve(run), refused('request_cancelled'));
  });

  it('is refused what it cannot be run on', async () => {
    const wrong: readonly [unknown, object, RegExp][] = [
      [undefined, {}, /^input: must be a text, or an object with messages, prompt or input$/],
      [{ messages: [] }, {}, /^messages: /],
      [{ prompt: 3 }, {}, /^prompt: /],
      [{ input: 1n }, {}, /^input: is no JSON/],
      [
        { messages: [{ role: 'user', content: 'x' }], tools: [{ type: 'function' }] },
        {},
        /^tools: \[0\]\.function\.name/,
      ],
      ['x', { limits: { memoryMb: 0 } }, /^limits\.memoryMb: must be an integer from 1 to 4096/],
      ['x', { seed: 0.5 }, /^seed: must be an integer of 64 bits/],
    ];
    for (const [input, options, message] of wrong) {
      await assert.rejects(
        Promise.resolve(model.run(passing, input as string, options)),
        refused('invalid_request', message),
      );
    }
    await assert.rejects(Promise.resolve(model.run({} as Program, 'x')), refused('invalid_request', /loadProgram/));
    const big = await loadProgram(program('(i32.const 0)', '', '(memory (export "memory") 32)'));
    await assert.rejects(Promise.resolve(model.run(big, 'x', { limits: { memoryMb: 1 } })), refused('program_invalid'));
  });
});
