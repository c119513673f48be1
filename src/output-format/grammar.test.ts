import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { ByteVocabulary } from '../../test/output-format/byte-vocabulary.ts';
import { controls, formats } from '../../test/output-format/formats.ts';
import type { Token } from '../tokenizer/types.ts';
import type { AnswerSource, DeclaredTool } from './constraint-source.ts';
import { OutputParser } from './parser.ts';
import type { ToolFormat } from './types.ts';

const schemas: Record<string, Record<string, unknown>> = {
  get_weather: {
    type: 'object',
    properties: {
      city: { type: 'string' },
      unit: { type: 'string', enum: ['C', 'F'] },
      days: { type: 'integer', minimum: 1, maximum: 9 },
    },
    required: ['city'],
    additionalProperties: false,
  },
  set_flags: {
    type: 'object',
    properties: {
      code: { type: 'string', pattern: '^[a-z]{1,3}$' },
      on: { type: 'boolean' },
      inner: { type: 'object', properties: { list: { type: 'array', items: { type: ['null', 'string'] } } } },
      also: { $ref: '#/$defs/small' },
    },
    required: ['on', 'also'],
    $defs: { small: { enum: [1, null, 'it\'s "x"'] } },
  },
  nothing: { type: 'object', properties: {} },
};
const declared: DeclaredTool[] = Object.entries(schemas).map(([name, schema]) => ({
  name,
  parameters: JSON.stringify(schema),
}));

const vocabulary = new ByteVocabulary(controls);

function source(format: ToolFormat, other: Partial<NonNullable<AnswerSource['tools']>> = {}): AnswerSource {
  return { kind: 'answer', tools: { format, declared, choice: 'required', parallel: true, ...other } };
}

const weather = (city: string) =>
  `<tool_call>\n{"name": "get_weather", "arguments": {"city": "${city}"}}\n</tool_call>`;

describe('the grammar of an answer', () => {
  it('has calls from the first token where they are demanded', () => {
    const hermes = source(formats.hermes);
    assert.equal(vocabulary.allowed(hermes, weather('Rome')), weather('Rome'));
    const two = `${weather('Rome')}\n${weather('Oslo')}`;
    assert.equal(vocabulary.allowed(hermes, two), two);
    assert.equal(vocabulary.allowed(hermes, `I call ${weather('Rome')}`), '');
    assert.equal(vocabulary.allowed(hermes, weather('Rome').replace('city', 'town')), weather('x').split('city')[0]);
    assert.equal(vocabulary.allowed(hermes, weather('Rome').replace('get_', 'let_')), weather('x').split('get_')[0]);
    assert.equal(vocabulary.allowed(hermes, ''), ' …');
  });

  it('has text until a call begins, and no call of another tool', () => {
    const hermes = source(formats.hermes, { choice: 'auto' });
    for (const good of ['', 'Hello <tool> {', `Let me look.\n${weather('Rome')}`, weather('Rome')])
      assert.equal(vocabulary.allowed(hermes, good), good);
    assert.equal(vocabulary.allowed(hermes, 'Hi <tool_call>x'), 'Hi <tool_call>');
    assert.equal(vocabulary.allowed(hermes, 'Hi <tool_call>'), 'Hi <tool_call> …');
  });

  it('has no calls where no tool may be called', () => {
    const none = source(formats.hermes, { choice: 'auto', declared: [] });
    assert.equal(vocabulary.allowed(none, 'Hi <tool_call>x'), 'Hi <tool_call');
    assert.equal(vocabulary.allowed(none, 'Hi'), 'Hi');
  });

  it('has one call where there is to be one', () => {
    const one = source(formats.hermes, { parallel: false });
    assert.equal(vocabulary.allowed(one, `${weather('Rome')}\n${weather('Oslo')}`), weather('Rome'));
  });

  it('takes bare calls at the very beginning only, and text that is no call', () => {
    const bare = source(formats.bare, { choice: 'auto' });
    for (const good of ['{"name": "Bob"}', 'Hi {"name": "nothing"', '{"name": "nothing", "parameters": {}}'])
      assert.equal(vocabulary.allowed(bare, good), good);
    const spaced = '{ "name":"nothing", "parameters"';
    assert.equal(vocabulary.allowed(bare, `${spaced}: 5`), spaced);
  });

  it('names control tokens by number, and has none in texts', () => {
    const ids = source(formats.ids, { choice: 'auto' });
    const call = '[TOOL_CALLS][{"name": "nothing", "arguments": {}, "id": "abcdefgh1"}]';
    for (const good of ['Hi', call, `Hi ${call}`]) assert.equal(vocabulary.allowed(ids, good), good);
    assert.equal(vocabulary.allowed(ids, 'Hi<|args|>'), 'Hi');
    const start = '[TOOL_CALLS][{"name": "get_weather", "arguments": {"city": "a';
    assert.equal(vocabulary.allowed(ids, `${start}[TOOL_CALLS]`), start);
  });

  it('has thoughts first', () => {
    const reasoning = { open: '<think>', close: '</think>', begun: false };
    const may: AnswerSource = { ...source(formats.hermes), reasoning };
    for (const good of [weather('A'), `<think>\nhm <tool_call></think>\n\n${weather('A')}`])
      assert.equal(vocabulary.allowed(may, good), good);
    const begun: AnswerSource = { ...may, reasoning: { ...reasoning, begun: true } };
    assert.equal(vocabulary.allowed(begun, weather('A')), `${weather('A')} …`);
    assert.equal(vocabulary.allowed(begun, `x</think>${weather('A')}`), `x</think>${weather('A')}`);
    const json: AnswerSource = { kind: 'answer', reasoning, content: { kind: 'json_schema', schema: '{"const":5}' } };
    for (const good of ['5', '<think>6</think>\n5']) assert.equal(vocabulary.allowed(json, good), good);
    assert.equal(vocabulary.allowed(json, '<think>6</think>6'), '<think>6</think>');
  });

  it('has calls or content of a schema', () => {
    const either: AnswerSource = {
      ...source(formats.hermes, { choice: 'auto' }),
      content: { kind: 'choice', choices: ['yes', 'no'] },
    };
    for (const good of ['yes', weather('A')]) assert.equal(vocabulary.allowed(either, good), good);
    assert.equal(vocabulary.allowed(either, `yes ${weather('A')}`), 'yes');
  });

  it('names the tool whose schema cannot be kept', () => {
    const bad = [{ name: 'odd', parameters: '{"properties":{"a":{"type":"array","uniqueItems":true}}}' }];
    for (const format of [formats.hermes, formats.markup])
      assert.throws(() => vocabulary.compile(source(format, { declared: bad })), {
        code: 'schema_unsupported',
        message: /the tool "odd": .*uniqueItems/,
      });
  });
});

describe('walks through the grammar of an answer', () => {
  const validators = new Map(Object.entries(schemas).map(([name, schema]) => [name, new Ajv2020().compile(schema)]));
  for (const [name, format] of Object.entries<ToolFormat>(formats)) {
    it(`are read as calls that fit their schemas: ${name}`, () => {
      const constraint = vocabulary.compile(source(format));
      fc.assert(
        fc.property(fc.infiniteStream(fc.nat(1 << 20)), choices => {
          const state = constraint.start();
          const tokens: Token[] = [];
          for (const choice of choices) {
            const token = likely(vocabulary.allowedNext(state), choice);
            if (token === vocabulary.end) break;
            if (tokens.length > 1000) return;
            state.accept(token);
            tokens.push(token);
          }
          const text = vocabulary.text(tokens);
          const calls = callsIn(text, format);
          assert.ok(calls.length > 0, text);
          for (const { name: tool, arguments: given } of calls) {
            const validate = validators.get(tool);
            assert.ok(validate?.(JSON.parse(given)), `${text}\n${given}\n${JSON.stringify(validate?.errors)}`);
          }
        }),
        { numRuns: 40 },
      );
    });
  }
});

/** Mostly what ends something. */
function likely(tokens: readonly Token[], choice: number): Token {
  const ending = tokens.filter(token => token >= 256 || '"\'}]>)<'.includes(String.fromCharCode(token)));
  const from = ending.length > 0 && choice % 3 > 0 ? ending : tokens;
  return from[(choice >> 2) % from.length] as Token;
}

function callsIn(text: string, tools: ToolFormat): { name: string; arguments: string }[] {
  const parser = new OutputParser({ tools }, new Map(Object.entries(schemas)));
  const calls: { name: string; arguments: string }[] = [];
  for (const event of [...parser.push(text), ...parser.end()]) {
    if (event.kind === 'call') calls.push({ name: event.name, arguments: '' });
    else if (event.kind === 'arguments') calls[event.index]!.arguments += event.text;
    else assert.ok(event.kind === 'callEnd' || event.text.trim() === '', `${text}\n${JSON.stringify(event)}`);
  }
  return calls;
}
