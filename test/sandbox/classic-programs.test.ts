/** The nine classic programs, in AssemblyScript and in Rust: what each promises, with a model that is a table. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, describe, test } from 'node:test';
import { hasClang } from '../../guest/build-c.ts';
import { findRust } from '../../guest/build-rust.ts';
import { classicPrograms } from '../../guest/classic.ts';
import { RealmError } from '../../src/errors.ts';
import type { Program, ProgramCall } from '../../src/sandbox/types.ts';
import { compiled, type Language } from '../guest/compiled.ts';
import { options, rig } from './helpers.ts';
import { type Scripted, says, scripted, type Table, words } from './scripted-sequences.ts';

const { sandbox, load, call } = rig();
after(() => sandbox.close());

/** What the program says to a chat. */
async function saidBy(program: Program, script: Scripted, more: Partial<ProgramCall> = {}): Promise<string> {
  const prompt = JSON.stringify({ messages: [{ role: 'user', content: 'Q' }] });
  const limits = { deadlineMs: 20_000, memoryMb: 4 };
  const called = { program, prompt, host: script.host, options: { ...options, seed: 5n }, limits, ...more };
  const said = await Array.fromAsync(call(called));
  assert.equal(script.open(), 0, 'nothing is left open');
  return said.join('');
}

const withTokens = (maxTokens: number) => ({ options: { ...options, maxTokens, seed: 5n } });
const answerIn = (text: string) => text.slice(text.lastIndexOf('<assistant>') + '<assistant>'.length);

/** The sum of the logarithms of a table's probabilities. */
function scoreOf(table: Table, answer: string): number {
  let score = 0;
  for (let i = 0; i <= answer.length; i++) {
    score += Math.log(table(`<assistant>${answer.slice(0, i)}`)[answer[i] ?? 'END'] ?? 1e-9);
  }
  return score;
}

test('each has at most 60 lines', () => {
  for (const name of classicPrograms) {
    for (const path of [`assembly/${name}.ts`, `rust/${name}.rs`]) {
      const source = readFileSync(new URL(`../../guest/programs/${path}`, import.meta.url), 'utf8');
      assert.ok(source.trimEnd().split('\n').length <= 60, path);
    }
  }
});

/** One of three words; each of them is sure once it has begun. */
const threeWords: Table = text => {
  const said = answerIn(text);
  if (said === '') return { a: 0.5, b: 0.3, c: 0.2 };
  const rest = { a: 'aaa', b: 'bcd', c: 'cef' }[said[0]!]!;
  return said === rest ? { END: 0.99 } : { [rest[said.length]!]: said[0] === 'a' ? 0.4 : 0.95, x: 0.01 };
};

/** Each promises the same in both languages. */
function promises(language: Language): void {
  const loaded = new Map<string, Promise<Program>>();

  async function run(name: string, script: Scripted, more: Partial<ProgramCall> = {}): Promise<string> {
    const program = loaded.get(name) ?? compiled(language, name).then(bytes => load(bytes));
    loaded.set(name, program);
    return saidBy(await program, script, more);
  }

  test('best of n gives the likeliest of its answers, for one prompt', async () => {
    const script = scripted(threeWords);
    const answer = await run('best-of-n', script);
    assert.equal(script.submissions.length, 8);
    const seeds = new Set(script.submissions.map(({ sampling }) => sampling.seed));
    assert.equal(seeds.size, 8, 'each draws by itself');
    const prompts = new Set(script.submissions.map(({ tokens }) => tokens.join()));
    assert.equal(prompts.size, 1);
    assert.equal(answer, 'bcd', 'sure of every token');
  });

  test('self-consistency gives what most answers come to', async () => {
    const reasons: Table = text => {
      const said = answerIn(text);
      const way = /^[xyz]?/.exec(said)![0];
      if (way === '') return { x: 0.3, y: 0.36, z: 0.34 };
      // Two ways of three come to 42.
      const whole = way === 'y' ? 'y so 7' : `${way} so 42`;
      return said.length >= whole.length ? { END: 1 } : { [whole[said.length]!]: 1 };
    };
    const script = scripted(reasons);
    assert.equal(await run('self-consistency', script), '42');
    assert.equal(script.submissions.length, 9);
  });

  test('beam search finds a likelier answer than the greedy one', async () => {
    const trap: Table = text => {
      const said = answerIn(text);
      if (said === '') return { a: 0.6, b: 0.4 };
      if (said === 'a') return { a: 0.3, b: 0.25, c: 0.2, d: 0.2 };
      return said.length === 1 ? { z: 0.95 } : { END: 0.95 };
    };
    assert.equal(await run('beam-search', scripted(trap)), 'bz');
    assert.ok(scoreOf(trap, 'bz') > scoreOf(trap, 'aa'));
  });

  test("beam search is never worse than greedy, whatever the model's table", async () => {
    for (let seed = 1; seed <= 12; seed++) {
      const table: Table = text => {
        const said = answerIn(text);
        let hash = seed * 7919;
        for (const char of said) hash = (hash * 31 + char.charCodeAt(0)) % 100_003;
        const weights = ['a', 'b', 'c', 'd', 'e', 'END'].map((_, i) => 1 + ((hash >> i) % 7) ** 2);
        const sum = weights.reduce((a, b) => a + b, 0);
        return Object.fromEntries(['a', 'b', 'c', 'd', 'e', 'END'].map((char, i) => [char, weights[i]! / sum]));
      };
      let greedy = '';
      for (let next = ''; greedy.length < 6; greedy += next) {
        next = Object.entries(table(`<assistant>${greedy}`)).reduce((a, b) => (b[1] > a[1] ? b : a))[0];
        if (next === 'END') break;
      }
      const found = await run('beam-search', scripted(table), withTokens(6));
      // An answer that the limit has cut off did not pay for an end.
      const score = (answer: string) =>
        scoreOf(table, answer) - (answer.length === 6 ? Math.log(table(`<assistant>${answer}`).END!) : 0);
      assert.ok(score(found) >= score(greedy) - 1e-6, `${seed}: ${found} ${score(found)}, ${greedy} ${score(greedy)}`);
    }
  });

  test('tree of thought goes on from the thoughts that are judged best', async () => {
    const thinking: Table = text => {
      if (text.endsWith('good or bad: ')) return /^(<.*>)?w$/m.test(text) ? { b: 0.9, g: 0.1 } : { g: 0.8, b: 0.2 };
      if (text.endsWith('good or bad: b')) return { a: 1 };
      const answered = text.indexOf('\nAnswer: ');
      if (answered >= 0) {
        const said = text.slice(answered + '\nAnswer: '.length);
        return said === 'ok' ? { END: 1 } : { [said === '' ? 'o' : 'k']: 1 };
      }
      // A thought is right or wrong by its first letter.
      const line = answerIn(text).split('\n').at(-1)!;
      return line === '' ? { r: 0.4, w: 0.6 } : { '\n': 1 };
    };
    const script = scripted(thinking);
    assert.equal(await run('tree-of-thought', script), 'ok');
    const last = script.submissions.at(-1)!;
    const path = answerIn(words.text([...last.tokens] as never));
    assert.match(path, /^r\nr\n\nAnswer: $/);
    assert.deepEqual(
      script.emitted.map(([kind, text]) => [kind, JSON.parse(text).depth]),
      [
        ['event', 0],
        ['event', 0],
        ['event', 1],
        ['event', 1],
      ],
    );
  });

  test('an agent calls its tool and answers with what that says; failures come back to the model', async () => {
    const called = '{"name":"weather","arguments":{"city":"Bern"}}';
    for (const fails of [false, true]) {
      const documents: string[] = [];
      let turn = 0;
      const table: Table = text => {
        const whole = turn === 1 ? called : 'It is sunny';
        const said = answerIn(text);
        return said.length >= whole.length ? { END: 1 } : { [whole[said.length]!]: 1 };
      };
      const script = scripted(table, {
        chatTokens: async (_model, document) => {
          documents.push(document);
          turn++;
          return Int32Array.from(words.tokens('<user>Q<assistant>'));
        },
        toolConstraint: async () => ({ kind: 'regex', pattern: '(\\{.*\\}|[^{]*)' }),
        parse: async (_model, _tools, tokens) => {
          const text = words.text([...tokens] as never);
          if (!text.startsWith('{')) return JSON.stringify({ content: text, reasoning: '', tool_calls: [] });
          return JSON.stringify({ content: '', reasoning: '', tool_calls: [JSON.parse(text)] });
        },
        tool: async (name, input) => {
          script.tools.push([name, input]);
          if (fails) throw new RealmError('tool_failed', 'It rains in the server room.');
          return '{"sky":"blue"}';
        },
      });
      const tools = [{ type: 'function', function: { name: 'weather' } }];
      const prompt = JSON.stringify({ messages: [{ role: 'user', content: 'Q' }], tools });
      assert.equal(await run('tool-agent', script, { prompt }), 'It is sunny');
      assert.deepEqual(script.tools, [['weather', '{"city":"Bern"}']]);
      const second = JSON.parse(documents[1]!);
      assert.deepEqual(second.tools, tools);
      assert.equal(second.messages[1].tool_calls[0].function.name, 'weather');
      assert.equal(second.messages[1].tool_calls[0].function.arguments, '{"city":"Bern"}');
      assert.equal(second.messages[2].tool_call_id, second.messages[1].tool_calls[0].id);
      assert.match(second.messages[2].content, fails ? /^failed: tool_failed/ : /^\{"sky":"blue"\}$/);
      assert.deepEqual(script.emitted, [['event', '{"called":"weather"}']]);
    }
  });

  test('JSON repair: what it says is JSON, and begins with what was right', async () => {
    const drafts: [draft: string, kept: string][] = [
      ['{"a":[1,2]}', '{"a":[1,2]}'],
      ['{"a":[1,2', '{"a":[1,2'],
      ['{"a":[1,2}', '{"a":[1,2'],
      ['{"a" 1}', '{"a"'],
      ['Sure! {"a":1}', ''],
      ['{"a":01}', '{"a":0'],
      ['', ''],
    ];
    for (const [draft, kept] of drafts) {
      let first = true;
      const table: Table = text => {
        const said = answerIn(text);
        if (!first) return { '}': 0.5, ']': 0.3, ':': 0.1, '1': 0.05, '"': 0.02, END: 0.6 };
        return said.length >= draft.length ? { END: 1 } : { [draft[said.length]!]: 1 };
      };
      const script = scripted(table);
      const { submit } = script.sequences;
      const host = {
        ...script.host,
        sequences: {
          ...script.sequences,
          submit: async (...args: Parameters<typeof submit>) => {
            const done = await submit(...args);
            first = false;
            return done;
          },
        },
      };
      const said = await run('json-repair', { ...script, host });
      assert.doesNotThrow(() => JSON.parse(said), `${draft} became ${said}`);
      assert.ok(said.startsWith(kept), `${draft} became ${said}`);
    }
  });

  test('a watermark is found in its own text and not in others', async () => {
    const letters = 'abcdefghijklmnopqrst';
    const even: Table = () => Object.fromEntries([...letters].map(letter => [letter, 1 / letters.length]));
    const marked = await run('watermark', scripted(even), withTokens(120));
    assert.equal(marked.length, 120);
    const detect = async (text: string) => {
      const said = await run('watermark', scripted(even), { kind: 'call', prompt: JSON.stringify({ text }) });
      return (JSON.parse(said) as { z: number }).z;
    };
    assert.ok((await detect(marked)) > 4, `${marked}: ${await detect(marked)}`);
    let state = 1;
    const plain = Array.from({ length: 120 }, () => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return letters[(state >>> 16) % letters.length];
    }).join('');
    assert.ok(Math.abs(await detect(plain)) < 3);
  });

  test('drafts leave the answer as it is, and take fewer rounds', async () => {
    const text = 'the cat sat on the mat and the cat sat on the hat and the cat sat on the mat';
    const plain = scripted(says(text));
    const script = scripted(says(text));
    const prompt = JSON.stringify({ messages: [{ role: 'user', content: text }] });
    assert.equal(await run('draft-by-lookup', script, { prompt }), text);
    const drafts = script.submissions.map(({ draft }) => draft && words.text([...draft] as never));
    assert.ok(
      drafts.some(draft => draft?.startsWith(' sat on the')),
      drafts.join('|'),
    );
    assert.ok(script.submissions.length <= Math.ceil((text.length + 1) / 17) + 1);
    assert.equal(plain.submissions.length, 0);
  });

  test('a prefix is computed once, and the second question goes on behind it', async () => {
    const document = 'A long text about cats.';
    const script = scripted(text => {
      const said = text.slice(text.lastIndexOf('Answer: ') + 8);
      return said === 'yes' ? { '\n': 1 } : { ['yes'[said.length]!]: 1 };
    });
    const ask = (question: string) =>
      run('prefix-cache', script, { kind: 'call', prompt: JSON.stringify({ document, question }) });
    assert.equal(await ask('Cats?'), 'yes\n');
    assert.equal(await ask('Dogs?'), 'yes\n');
    assert.deepEqual(
      script.emitted.map(([, text]) => text),
      ['{"prefix":"computed"}', '{"prefix":"kept"}'],
    );
    const [prefix, first, second] = script.submissions;
    assert.equal(prefix!.maxTokens, 0);
    const head = prefix!.tokens.join();
    assert.ok(first!.tokens.join().startsWith(head) && second!.tokens.join().startsWith(head));
    assert.equal(script.submissions.length, 3);
  });
}

describe('in AssemblyScript', () => promises('assembly'));
describe('in Rust', { skip: !(await findRust()) && 'no rustc with the target wasm32-unknown-unknown' }, () =>
  promises('rust'),
);

test('a chat is passed on in C', { skip: !(await hasClang()) && 'no clang with lld for wasm32' }, async () => {
  const script = scripted(says('Hello'));
  assert.equal(await saidBy(await load(await compiled('c', 'pass-on')), script), 'Hello');
  assert.equal(script.submissions.length, 1);
});
