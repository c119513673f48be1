/** gpt-oss's channels: read however models write them, and asked for in its own vocabulary. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { compile } from '../../src/constrain/constraint.ts';
import { GrammarBuilder } from '../../src/constrain/grammar-builder.ts';
import { wordsOf } from '../../src/engine/constraint/compiler.ts';
import { constraintOf } from '../../src/llm/answer-constraint.ts';
import { findOutputFormat, markersOf } from '../../src/llm/output-format.ts';
import type { ToolUse } from '../../src/output-format/constraint-source.ts';
import { constraintGrammar } from '../../src/output-format/grammar.ts';
import { OutputParser } from '../../src/output-format/parser.ts';
import { chatTemplate } from '../../src/tokenizer/chat-template.ts';
import { createTokenizer } from '../../src/tokenizer/create.ts';
import { harmonyMetadata } from '../support/harmony.ts';
import { llamaBundle } from '../support/llama-bundle.ts';

const metadata = harmonyMetadata();
const tokenizer = createTokenizer(metadata);
const file = join(await llamaBundle(), 'models/templates/openai-gpt-oss-120b.jinja');
const template = chatTemplate(metadata, tokenizer, { source: readFileSync(file, 'utf8'), now: () => 0 });
const format = findOutputFormat(template, tokenizer);
const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
const schemas = new Map([
  ['look', schema],
  ['book', schema],
]);

const [analysis, next] = ['<|channel|>analysis<|message|>hm<|end|>', '<|start|>assistant'];
const final = '<|channel|>final<|message|>';
const rome = '{"city": "Rome"}';
const canonical = `<|channel|>commentary to=functions.look <|constrain|>json<|message|>${rome}`;

interface Answer {
  content: string;
  reasoning: string;
  calls: string[];
}

/** What tokens are read as, without the ends that the engine takes off, and the same whatever pieces they come in. */
function read(text: string): Answer {
  const ids = tokenizer.encode(text, { addSpecial: false }).filter(id => !tokenizer.endOfGeneration.has(id));
  const stream = tokenizer.stream({ special: markersOf(format, tokenizer) });
  const pieces = [...ids.map(id => stream.push(id)), stream.end()];
  const answer = parsed(pieces);
  const whole = pieces.join('');
  for (const size of [1, 5, whole.length]) {
    const cut = Array.from({ length: Math.ceil(whole.length / size) }, (_, i) => whole.slice(i * size, (i + 1) * size));
    assert.deepEqual(parsed(cut), answer);
  }
  return answer;
}

function parsed(pieces: readonly string[]): Answer {
  const parser = new OutputParser(format, schemas);
  const answer: Answer = { content: '', reasoning: '', calls: [] };
  for (const event of [...pieces.flatMap(piece => parser.push(piece)), ...parser.end()]) {
    if (event.kind === 'content' || event.kind === 'reasoning') answer[event.kind] += event.text;
    else if (event.kind === 'call') answer.calls.push(`${event.name} `);
    else if (event.kind === 'arguments') answer.calls[event.index] += event.text;
  }
  return answer;
}

describe('harmony is read', () => {
  it('with its ends: of a text, of a call', () => {
    assert.deepEqual(read(`${analysis}${next}${final}Hi<|return|>`), { content: 'Hi', reasoning: 'hm', calls: [] });
    const calls = [`look ${rome}`];
    assert.deepEqual(read(`${analysis}${next}${canonical}<|call|>`), { content: '', reasoning: 'hm', calls });
  });

  for (const channel of ['commentary', 'analysis']) {
    it(`with calls in ${channel}, their recipient before it or in it, their kind named or not`, () => {
      for (const kind of [' <|constrain|>json', '<|constrain|>json', ' json', '']) {
        for (const call of [
          `<|channel|>${channel} to=functions.look${kind}<|message|>${rome}`,
          ` to=functions.look<|channel|>${channel}${kind}<|message|>${rome}`,
        ]) {
          const calls = [`look ${rome}`];
          assert.deepEqual(read(`${call}<|call|>`), { content: '', reasoning: '', calls }, call);
          assert.deepEqual(read(`${analysis}${next}${call}<|call|>`), { content: '', reasoning: 'hm', calls }, call);
          const said = `<|channel|>commentary<|message|>I look.<|end|>${next}`;
          const all = { content: 'I look.', reasoning: 'hm', calls };
          assert.deepEqual(read(`${analysis}${next}${said}${call}<|call|>`), all, call);
        }
      }
    });
  }

  it('with several calls, whether a message ends between them or not', () => {
    const other = canonical.replace('look', 'book');
    const expected = { content: '', reasoning: 'hm', calls: [`look ${rome}`, `book ${rome}`] };
    assert.deepEqual(read(`${analysis}${next}${canonical}<|call|>${next}${other}<|call|>`), expected);
    assert.deepEqual(read(`${analysis}${next}${canonical}<|end|>${next}${other}<|call|>`), expected);
  });

  it('with thoughts one after the other, and a stray beginning of a comment', () => {
    const twice = { content: 'Hi', reasoning: 'hmhm', calls: [] };
    assert.deepEqual(read(`${analysis}${next}${analysis}${next}${final}Hi`), twice);
    const stray = '<|channel|>commentary to=assistant';
    const expected = { content: 'Hi', reasoning: 'hm', calls: [] };
    assert.deepEqual(read(`${stray}${analysis}${next}${final}Hi`), expected);
    assert.deepEqual(read(`${analysis}${next}${stray}${final}Hi`), expected);
  });

  it('with an answer that says it is JSON', () => {
    for (const open of [final, '<|channel|>final <|constrain|>json<|message|>', '<|channel|>final json<|message|>'])
      assert.deepEqual(read(`${analysis}${next}${open}${rome}`), { content: rome, reasoning: 'hm', calls: [] });
  });

  it('with calls of tools that there are not as text', () => {
    assert.match(read(`${analysis}${next}<|channel|>commentary to=python code<|message|>1`).content, /to=python/);
  });
});

describe('harmony is asked for', () => {
  const words = wordsOf(tokenizer);
  const declared = [...schemas].map(([name, parameters]) => ({ name, parameters: JSON.stringify(parameters) }));

  /** How much of the text may be written, in the tokens of the vocabulary; `…`: the answer may not end there. */
  function allowed(text: string, choice: ToolUse['choice'] | undefined, content?: object): string {
    const tools = choice && { declared, choice, parallel: true };
    const wanted = content && ({ kind: 'json_schema', schema: JSON.stringify(content) } as const);
    const source = constraintOf(format, tools, wanted, false)!;
    const builder = new GrammarBuilder();
    const state = compile(constraintGrammar(source, words.control, builder), builder.regexes, words.vocabulary).start();
    const ids = tokenizer.encode(text, { addSpecial: false });
    const refused = ids.findIndex(id => !state.accept(id));
    if (refused >= 0) return tokenizer.decode(ids.slice(0, refused), { special: true });
    return state.isAccepting ? text : `${text}…`;
  }

  it('with texts and calls where the model may choose', () => {
    for (const good of [`${final}Hi`, canonical]) {
      assert.equal(allowed(good, 'auto'), good);
      assert.equal(allowed(`${analysis}${next}${good}`, 'auto'), `${analysis}${next}${good}`);
    }
    assert.equal(allowed(`${final}Hi<|start|>user`, 'auto'), `${final}Hi`);
    assert.ok(!allowed(`${analysis}${next}${canonical.replace('look', 'cook')}`, 'auto').includes('cook'));
  });

  it('with nothing but a call where one is demanded, and its arguments as declared', () => {
    assert.equal(allowed(`${analysis}${next}${canonical}`, 'required'), `${analysis}${next}${canonical}`);
    assert.equal(allowed(`${analysis}${next}${final}`, 'required'), `${analysis}${next}<|channel|>`);
    const open = canonical.replace(rome, '{');
    assert.equal(allowed(open, 'required'), `${open}…`);
    assert.ok(!allowed(canonical.replace('city', 'town'), 'required').includes('town'));
  });

  it('with JSON of a schema in the final channel, behind thoughts', () => {
    const answer = `${analysis}${next}${final}${rome}`;
    assert.equal(allowed(answer, undefined, schema), answer);
    assert.equal(allowed(`${final}${rome}`, undefined, schema), `${final}${rome}`);
    assert.equal(allowed(`${final}Hi`, undefined, schema), final);
    assert.equal(allowed(rome, undefined, schema), '');
    assert.ok(!allowed(`${analysis}${next}${final}{"city": 5}`, undefined, schema).includes('5'));
  });
});
