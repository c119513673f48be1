import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formats } from '../../test/output-format/formats.ts';
import { builtinTemplates } from '../tokenizer/builtin-templates.ts';
import { chatTemplate } from '../tokenizer/chat-template.ts';
import { createTokenizer } from '../tokenizer/create.ts';
import { byteLevelMetadata } from '../tokenizer/testing/vocabularies.ts';
import type { ChatTemplate } from '../tokenizer/types.ts';
import { outputFormat } from './output-format.ts';
import { OutputParser } from './parser.ts';
import { pythonText, pythonToJson } from './python-literal.ts';
import { beginsInReasoning, deriveReasoning } from './reasoning.ts';
import { hermes } from './shipped.ts';
import { injected } from './tool-prompt.ts';
import type { ToolCall, ToolFormat } from './types.ts';
import { writeCalls } from './write-calls.ts';

const metadata = byteLevelMetadata({}, []);
const tokenizer = createTokenizer(metadata);
const template = (source: string): ChatTemplate => chatTemplate(metadata, tokenizer, { source, now: () => 0 });

/** A template that writes an answer's calls like this. */
const writing = (calls: string) =>
  template(
    `{{ tools }}{% for m in messages %}<|{{ m.role }}|>{% if m.tool_calls %}${calls}{% endif %}{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}`,
  );

describe('the format of a template', () => {
  it('is what it writes', () => {
    const { tools } = outputFormat(
      writing(
        '{% for c in m.tool_calls %}<call>{{ c.function.name }}:{{ c.function.arguments | tojson }}</call>{% endfor %}',
      ),
      ['<|end|>'],
    );
    assert.deepEqual(tools, {
      begin: '',
      call: [
        { kind: 'text', text: '<call>' },
        { kind: 'name' },
        { kind: 'text', text: ':' },
        { kind: 'arguments', style: { kind: 'json' } },
        { kind: 'text', text: '</call>' },
      ],
      between: '',
      end: '',
      history: 'object',
    });
  });

  it('wants text where it takes no object', () => {
    const { tools } = outputFormat(
      writing(
        '{% for c in m.tool_calls %}{{ "<c>" + c.function.name + " " + c.function.arguments + "</c>" }}{% endfor %}',
      ),
      [],
    );
    assert.equal(tools?.history, 'text');
  });

  it('is none where calls are dropped, or written so that they cannot be read', () => {
    for (const calls of ['', '{% for c in m.tool_calls %}{{ c.function.name }}{% endfor %}', '{{ m.tool_calls }}'])
      assert.equal(outputFormat(writing(calls), []).tools, undefined, calls);
    for (const { source } of Object.values(builtinTemplates))
      assert.equal(outputFormat(template(source), []).tools, undefined);
  });

  it('has thoughts, which the prompt may have begun', () => {
    const thinking = template(
      '{% for m in messages %}<|{{ m.role }}|>{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>{% endif %}{{ m.content }}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}',
    );
    const reasoning = deriveReasoning(thinking);
    assert.deepEqual(reasoning, { open: '<think>', close: '</think>' });
    assert.ok(beginsInReasoning({ open: '<think>', close: '</think>' }, 'user: hi\n<think>\n'));
    assert.ok(!beginsInReasoning({ open: '<think>', close: '</think>' }, 'user: hi\n<think></think>'));
  });

  it('can be told to a model without one', () => {
    const { format, prompt } = injected.hermes!;
    assert.equal(format, hermes);
    assert.match(prompt([{ type: 'function', function: { name: 'now' } }]), /"name":"now"[\s\S]*<tool_call>/);
  });
});

const keys = fc.constantFrom('city', 'n', 'list', 'inner', 'some_key-2');
/** Markup of the formats cannot stand in texts that are not quoted. */
const texts = fc.string({ unit: 'grapheme', maxLength: 12 }).filter(text => !text.includes('<'));
const values = fc.letrec(tie => ({
  value: fc.oneof(
    { maxDepth: 3 },
    texts,
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(keys, tie('value'), { maxKeys: 3 }),
  ),
})).value;

const others = values.filter(value => typeof value !== 'string');
const given = fc.record({ city: texts, 'some_key-2': texts, n: others, inner: others }, { requiredKeys: [] });
const properties = { city: { type: 'string' }, 'some_key-2': { type: 'string' }, n: {}, inner: {} };

function readCalls(format: ToolFormat, calls: readonly ToolCall[]): unknown[] {
  const parser = new OutputParser({ tools: format }, new Map(calls.map(({ name }) => [name, { properties }])));
  const read: { name: string; arguments: string }[] = [];
  for (const event of [...parser.push(writeCalls(format, calls)), ...parser.end()]) {
    if (event.kind === 'call') read.push({ name: event.name, arguments: '' });
    else if (event.kind === 'arguments') read[event.index]!.arguments += event.text;
  }
  return read.map(call => [call.name, JSON.parse(call.arguments)]);
}

describe('calls that are written', () => {
  // Elements without types could be texts as well as numbers.
  const { elements: _, ...untyped } = formats;
  for (const [name, format] of Object.entries<ToolFormat>(untyped)) {
    it(`are read: ${name}`, () => {
      fc.assert(
        fc.property(fc.array(given, { minLength: 1, maxLength: 3 }), list => {
          const all = format.between === undefined ? list.slice(0, 1) : list;
          const calls = all.map((each, i) => ({ name: `tool_${i}`, id: 'abcdefgh1', arguments: JSON.stringify(each) }));
          assert.deepEqual(
            readCalls(format, calls),
            calls.map(call => [call.name, JSON.parse(call.arguments)]),
          );
        }),
      );
    });
  }

  it('have Python’s literals', () => {
    fc.assert(
      fc.property(values, value => {
        assert.deepEqual(JSON.parse(pythonToJson(pythonText(value)) ?? ''), JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});
