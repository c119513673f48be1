import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ByteVocabulary } from '../../test/output-format/byte-vocabulary.ts';
import type { AnswerSource } from './constraint-source.ts';
import { OutputParser } from './parser.ts';
import { shipped } from './shipped.ts';
import type { OutputFormat, ReasoningFormat, TextFormat, ToolFormat } from './types.ts';

const json = { kind: 'arguments', style: { kind: 'json' } } as const;

/** Every part is named by whom it is for: functionary's. */
const recipients = {
  text: { open: 'all\n', close: '', silent: [] },
  tools: {
    begin: '',
    call: [{ kind: 'name' }, { kind: 'text', text: '\n' }, json],
    between: '>>>',
    end: '',
    history: 'text',
  },
} as const satisfies OutputFormat;

/** Text has a beginning and an end: Cohere's. */
const responses = {
  reasoning: { open: '<|START_THINKING|>', close: '<|END_THINKING|>' },
  text: {
    open: '<|START_RESPONSE|>',
    close: '<|END_RESPONSE|>',
    silent: ['<|START_RESPONSE|>', '<|END_RESPONSE|>'],
  },
  tools: {
    begin: '<|START_ACTION|>[',
    call: [{ kind: 'text', text: '{"name": "' }, { kind: 'name' }, { kind: 'text', text: '", "parameters": ' }, json],
    between: ', ',
    end: '}]<|END_ACTION|>',
    history: 'object',
  },
} as const satisfies OutputFormat;

const harmony = shipped.find(({ sign }) => sign.includes('analysis'))!.format as OutputFormat & {
  readonly reasoning: ReasoningFormat;
  readonly text: TextFormat;
  readonly tools: ToolFormat;
};

const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
const tools = new Map([['look', schema]]);
const declared = [{ name: 'look', parameters: JSON.stringify(schema) }];
const call = { name: 'look', arguments: '{"city": "A"}' };

interface Answer {
  content: string;
  reasoning: string;
  calls: { name: string; arguments: string }[];
}

/** The answer, which is the same when it comes whole, byte by byte, and cut in two anywhere. */
function read(format: OutputFormat, text: string, known: typeof tools = tools): Answer {
  const whole = readPieces(format, [text], known);
  assert.deepEqual(readPieces(format, [...text], known), whole);
  for (let at = 1; at < text.length; at++)
    assert.deepEqual(readPieces(format, [text.slice(0, at), text.slice(at)], known), whole);
  return whole;
}

function readPieces(format: OutputFormat, pieces: readonly string[], known: typeof tools): Answer {
  const parser = new OutputParser(format, known);
  const answer: Answer = { content: '', reasoning: '', calls: [] };
  for (const event of [...pieces.flatMap(piece => parser.push(piece)), ...parser.end()]) {
    if (event.kind === 'content' || event.kind === 'reasoning') answer[event.kind] += event.text;
    else if (event.kind === 'call') answer.calls.push({ name: event.name, arguments: '' });
    else if (event.kind === 'arguments') answer.calls[event.index]!.arguments += event.text;
  }
  return answer;
}

const answer = (content: string, reasoning = '', ...calls: Answer['calls']): Answer => ({ content, reasoning, calls });

describe('the text of an answer of marked parts', () => {
  it('is read without the markers, with tools and without', () => {
    for (const known of [tools, new Map()]) {
      assert.deepEqual(read(recipients, 'all\nHi all\nthere', known), answer('Hi all\nthere'));
      assert.deepEqual(read(responses, '<|START_RESPONSE|>Hi<|END_RESPONSE|>', known), answer('Hi'));
      const thought = '<|START_THINKING|>hm<|END_THINKING|><|START_RESPONSE|>Hi';
      assert.deepEqual(read(responses, thought, known), answer('Hi', 'hm'));
    }
  });

  it('that only begins like a marker is text', () => {
    for (const text of ['allow me', 'all', 'al', 'all\r\nx']) assert.deepEqual(read(recipients, text), answer(text));
    assert.deepEqual(read(responses, '<|START_RESP'), answer('<|START_RESP'));
  });

  it('stands before, between and behind calls', () => {
    const written = 'look\n{"city": "A"}';
    assert.deepEqual(read(recipients, written), answer('', '', call));
    assert.deepEqual(read(recipients, `all\nI look.>>>${written}>>>${written}`), answer('I look.', '', call, call));
    assert.deepEqual(read(recipients, `${written}>>>all\nDone.`), answer('Done.', '', call));
    assert.deepEqual(read(recipients, 'all\n>>> print(1)\n>>>all of it'), answer('>>> print(1)\n>>>all of it'));
  });
});

describe('the channels of gpt-oss', () => {
  const thought = '<|channel|>analysis<|message|>hm<|end|><|start|>assistant';
  const called = '<|channel|>commentary to=functions.look <|constrain|>json<|message|>{"city": "A"}';

  it('are thoughts, text and calls, however they are cut', () => {
    const final = '<|channel|>final<|message|>Hi <|x|>';
    for (const known of [tools, new Map()]) {
      assert.deepEqual(read(harmony, final, known), answer('Hi <|x|>'));
      assert.deepEqual(read(harmony, `${thought}${final}`, known), answer('Hi <|x|>', 'hm'));
      assert.deepEqual(read(harmony, `${thought}${thought}${final}`, known), answer('Hi <|x|>', 'hmhm'));
    }
    assert.deepEqual(read(harmony, `${thought}${called}`), answer('', 'hm', call));
    const said = '<|channel|>commentary<|message|>I look.<|end|><|start|>assistant';
    assert.deepEqual(read(harmony, `${thought}${said}${called}`), answer('I look.', 'hm', call));
    assert.deepEqual(read(harmony, `${said}${final}`), answer('I look.Hi <|x|>'));
  });
});

describe('the grammar of marked parts', () => {
  const control = ['<|channel|>', '<|message|>', '<|start|>', '<|end|>', '<|constrain|>'];
  const others = ['<|START_RESPONSE|>', '<|END_RESPONSE|>', '<|START_ACTION|>', '<|END_ACTION|>', '<|START_THINKING|>'];
  const vocabulary = new ByteVocabulary([...control, ...others, '<|END_THINKING|>']);
  const allowed = (source: AnswerSource, text: string) => vocabulary.allowed(source, text);

  function source(
    { reasoning, text, tools: format }: OutputFormat,
    choice: 'auto' | 'required',
    others: Partial<AnswerSource> = {},
  ): AnswerSource {
    const thoughts = reasoning && { reasoning: { ...reasoning, begun: false } };
    return {
      kind: 'answer',
      ...thoughts,
      text,
      tools: { format: format!, declared, choice, parallel: true },
      ...others,
    };
  }

  it('has text in its part, calls in theirs, and thoughts before both', () => {
    const thought = '<|channel|>analysis<|message|>hm<|end|><|start|>assistant';
    const final = '<|channel|>final<|message|>Hi';
    const called = '<|channel|>commentary to=functions.look <|constrain|>json<|message|>{"city": "A"}';
    const auto = source(harmony, 'auto');
    for (const good of [final, `${thought}${final}`, called, `${thought}${called}`])
      assert.equal(allowed(auto, good), good);
    assert.equal(allowed(auto, 'Hi'), '');
    assert.equal(allowed(auto, `${final}<|end|>`), final);
    const required = source(harmony, 'required');
    for (const good of [called, `${thought}${called}`]) assert.equal(allowed(required, good), good);
    assert.equal(allowed(required, final), '<|channel|>');
    assert.equal(allowed(required, `${thought}${final}`), `${thought}<|channel|>`);
    const free = source(harmony, 'auto', { tools: undefined, content: { kind: 'json_schema', schema: '{"const":5}' } });
    assert.equal(allowed(free, `${thought}<|channel|>final<|message|>5`), `${thought}<|channel|>final<|message|>5`);
    assert.equal(allowed(free, '<|channel|>final<|message|>6'), '<|channel|>final<|message|>');
  });

  it('has the end of the text, which may be left out', () => {
    const auto = source(responses, 'auto');
    for (const good of ['<|START_RESPONSE|>Hi', '<|START_RESPONSE|>Hi<|END_RESPONSE|>'])
      assert.equal(allowed(auto, good), good);
    assert.equal(allowed(source(responses, 'required'), '<|START_RESPONSE|>Hi'), '');
  });

  it('has calls behind a text where they are parts like it', () => {
    const auto = source(recipients, 'auto');
    const written = 'look\n{"city": "A"}';
    for (const good of ['all\nHi', written, `all\nHi>>>${written}`, `${written}>>>${written}`])
      assert.equal(allowed(auto, good), good);
    assert.equal(allowed(auto, 'all\nHi>>>book'), 'all\nHi>>>');
    assert.equal(allowed(source(recipients, 'required'), 'all\n'), '');
    const five = { kind: 'json_schema', schema: '{"const":5}' } as const;
    assert.equal(allowed(source(recipients, 'auto', { tools: undefined, content: five }), 'all\n5'), 'all\n5');
  });
});
