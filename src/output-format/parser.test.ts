import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formats } from '../../test/output-format/formats.ts';
import { type OutputEvent, OutputParser } from './parser.ts';
import { shipped } from './shipped.ts';
import type { OutputFormat, ToolFormat } from './types.ts';
import { writeCalls } from './write-calls.ts';

const tools = new Map([
  ['get_weather', { properties: { city: { type: 'string' }, days: { type: 'integer' } }, required: ['city'] }],
  ['now', { properties: {}, additionalProperties: false }],
]);
const thoughts = { open: '<think>', close: '</think>' };

interface Answer {
  readonly content: string;
  readonly reasoning: string;
  readonly calls: readonly { name: string; arguments: string; id?: string; ended: boolean }[];
}

/** The answer, read in pieces that end at these places. */
function read(format: OutputFormat, text: string, cuts: readonly number[] = [], inReasoning = false): Answer {
  const parser = new OutputParser(format, tools, { inReasoning });
  const ends = [...new Set(cuts.map(cut => cut % (text.length + 1)))].sort((a, b) => a - b);
  const events = [0, ...ends].flatMap((from, i) => parser.push(text.slice(from, ends[i] ?? text.length)));
  return collected([...events, ...parser.end()]);
}

function collected(events: readonly OutputEvent[]): Answer {
  const answer = { content: '', reasoning: '', calls: [] as { name: string; arguments: string; ended: boolean }[] };
  for (const event of events) {
    if (event.kind === 'content' || event.kind === 'reasoning') answer[event.kind] += event.text;
    else if (event.kind === 'call')
      answer.calls[event.index] = { name: event.name, arguments: '', ended: false, ...(event.id && { id: event.id }) };
    else if (event.kind === 'arguments') answer.calls[event.index]!.arguments += event.text;
    else if (event.kind === 'callEnd') answer.calls[event.index]!.ended = true;
  }
  return answer;
}

const call = (city: string) => ({ name: 'get_weather', arguments: `{"city": ${JSON.stringify(city)}}` });
const all: [string, OutputFormat][] = [
  ...Object.entries<ToolFormat>(formats).map(([name, format]): [string, OutputFormat] => [
    name,
    { reasoning: thoughts, tools: format },
  ]),
  ...shipped.map(({ sign, format }): [string, OutputFormat] => [sign, format]),
];

/** Pieces of answers and of nothing. */
const pieces = (format: OutputFormat) =>
  fc.array(
    fc.oneof(
      fc.constantFrom(...fragments(format)),
      fc.string({ unit: 'binary', maxLength: 6 }),
      fc.constantFrom(' ', '\n', '```', '```json\n{"name": "now", "arguments": {}}\n```', '{', '}', '"', "'", '<'),
    ),
    { maxLength: 12 },
  );

function fragments({ tools: format, reasoning }: OutputFormat): string[] {
  const parts = format ? [writeCalls(format, [call('Rome'), call("it's")]), format.begin, format.end] : [];
  const texts = format?.call.flatMap(part => (part.kind === 'text' ? [part.text] : [])) ?? [];
  return [...parts, ...texts, ...(reasoning ? [reasoning.open, reasoning.close] : []), 'now', 'get_weather', 'city'];
}

describe('an answer', () => {
  for (const [name, format] of all) {
    it(`is read the same however it is cut, and never fails: ${name}`, () => {
      fc.assert(
        fc.property(pieces(format), fc.array(fc.nat(400), { maxLength: 20 }), fc.boolean(), (parts, cuts, inside) => {
          const text = parts.join('');
          const whole = read(format, text, [], inside);
          assert.deepEqual(read(format, text, cuts, inside), whole);
          const single = Array.from({ length: text.length }, (_, i) => i);
          assert.deepEqual(read(format, text, single, inside), whole);
        }),
        { numRuns: 200 },
      );
    });
  }

  it('without calls is its content, unchanged', () => {
    const words = fc.constantFrom(
      'a',
      ' ',
      '\n',
      '<',
      '<tool_',
      'call>',
      '<tool_call>',
      '{"name": "',
      '```',
      'x',
      '"}',
    );
    fc.assert(
      fc.property(fc.array(words, { maxLength: 20 }), parts => {
        const text = parts.join('');
        assert.deepEqual(read({ tools: formats.hermes }, text), { content: text, reasoning: '', calls: [] });
      }),
    );
  });

  it('has text, then calls', () => {
    const text = `Let me look.\n${writeCalls(formats.hermes, [call('Rome'), call('Oslo'), call('\n"')])}\n`;
    const { content, calls } = read({ tools: formats.hermes }, text);
    assert.equal(content, 'Let me look.');
    assert.deepEqual(
      calls,
      [call('Rome'), call('Oslo'), call('\n"')].map(each => ({ ...each, ended: true })),
    );
  });

  it('has thoughts first, begun by the prompt or not', () => {
    const format = { reasoning: thoughts, tools: formats.hermes };
    const expected = { content: 'Hi', reasoning: '\nhm', calls: [] };
    assert.deepEqual(read(format, '<think>\nhm\n</think>\n\nHi'), { ...expected, reasoning: '\nhm' });
    assert.deepEqual(read(format, '\nhm\n</think>\n\nHi', [3, 7], true), expected);
    assert.deepEqual(read(format, 'I <think> so'), { content: 'I <think> so', reasoning: '', calls: [] });
  });

  it('that is cut off behind a call has no rest of it as content', () => {
    for (const [name, { tools: format }] of all) {
      if (!format) continue;
      const calls = format.between === undefined ? [call('Rome')] : [call('Rome'), call('Oslo')];
      const text = writeCalls(format, calls);
      const first = writeCalls(format, [call('Rome')]).length - format.end.length - 1;
      for (let length = first; length < text.length; length++)
        assert.equal(read({ tools: format }, text.slice(0, length)).content, '', `${name}: ${text.slice(0, length)}`);
    }
  });

  it('that is cut off has what came of it', () => {
    const text = writeCalls(formats.hermes, [call('Rome')]);
    const cut = text.slice(0, text.indexOf('me"}'));
    assert.deepEqual(read({ tools: formats.hermes }, cut).calls, [
      { name: 'get_weather', arguments: '{"city": "Ro', ended: true },
    ]);
    assert.deepEqual(read({ tools: formats.hermes }, '<tool_call>\n{"na'), {
      content: '<tool_call>\n{"na',
      reasoning: '',
      calls: [],
    });
  });

  it('streams arguments as they come', () => {
    const parser = new OutputParser({ tools: formats.hermes }, tools);
    parser.push('<tool_call>\n{"name": "get_weather", "arguments": ');
    assert.deepEqual(parser.push('{"city": "Ro'), [{ kind: 'arguments', index: 0, text: '{"city": "Ro' }]);
    assert.deepEqual(parser.push('me"}'), [{ kind: 'arguments', index: 0, text: 'me"}' }]);
  });

  it('calls no tool that there is not', () => {
    const text = '<tool_call>\n{"name": "delete_all", "arguments": {}}\n</tool_call>';
    assert.deepEqual(read({ tools: formats.hermes }, text), { content: text, reasoning: '', calls: [] });
  });

  it('may have a call as code, if it fits a tool', () => {
    const code = (json: string) => `\`\`\`json\n${json}\n\`\`\``;
    const good = read({ tools: formats.hermes }, `So:\n${code('{"name": "get_weather", "arguments": {"city": "A"}}')}`);
    assert.deepEqual(good.calls, [{ name: 'get_weather', arguments: '{"city":"A"}', ended: true }]);
    for (const json of [
      '{"name": "get_weather", "arguments": {}}',
      '{"name": "other", "arguments": {}}',
      '{"name": "now", "arguments": []}',
      '{"name": "now", "arguments": {}, "more": 1}',
      '{"names": [',
    ])
      assert.deepEqual(read({ tools: formats.hermes }, code(json)), { content: code(json), reasoning: '', calls: [] });
  });

  it('may begin with a bare call, if it fits a tool', () => {
    const rome = '{"name": "get_weather", "arguments": {"city": "Rome"}}';
    const oslo = rome.replace('Rome', 'Oslo');
    const call = (city: string) => ({ name: 'get_weather', arguments: `{"city":"${city}"}`, ended: true });
    fc.assert(
      fc.property(fc.array(fc.nat()), cuts => {
        const answer = read(
          { tools: formats.hermes, reasoning: thoughts },
          `<think>hm</think>\n${rome}\n${oslo}`,
          cuts,
        );
        assert.deepEqual(answer, { content: '', reasoning: 'hm', calls: [call('Rome'), call('Oslo')] });
      }),
    );
    for (const text of [
      `So: ${rome}`,
      '{"name": "get_weather"}',
      '{"name": "get_weather", "arguments": {"city": "Ro',
      '{"name": "now", "arguments": {"strictly": 1}}',
      '{"city": "Rome"}',
    ])
      assert.deepEqual(read({ tools: formats.hermes }, text), { content: text, reasoning: '', calls: [] });
  });

  it('of Gemma 4 has thoughts anywhere, ends of thoughts that have not begun, and texts with quotes', () => {
    const { format } = shipped.find(({ sign }) => sign.includes('call:'))!;
    const quoted = (text: string) => `<|"|>${text}<|"|>`;
    const calls = `<|tool_call>call:get_weather{city:${quoted('the "Big {Apple}", it\'s')},days:3}<tool_call|>`;
    const more = '<|tool_call>call:now{}<tool_call|>';
    const text = `<|channel>thought\nhm\n<channel|>I look.<|channel>thought\nWhere?<channel|>${calls}${more}`;
    fc.assert(
      fc.property(fc.array(fc.nat()), cuts => {
        assert.deepEqual(read(format, text, cuts), {
          content: 'I look.',
          reasoning: 'hmWhere?',
          calls: [
            { name: 'get_weather', arguments: '{"city":"the \\"Big {Apple}\\", it\'s","days":3}', ended: true },
            { name: 'now', arguments: '{}', ended: true },
          ],
        });
      }),
    );
    for (const end of ['<channel|>', '<|channel>thought\n<channel|>'])
      assert.deepEqual(read(format, `Hi${end}`), { content: 'Hi', reasoning: '', calls: [] });
  });

  it('of several channels has each in its place', () => {
    const { format } = shipped.find(({ sign }) => sign.includes('analysis'))!;
    const text =
      '<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>commentary<|message|>I look.<|end|>' +
      '<|start|>assistant<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{"city": "A"}';
    assert.deepEqual(read(format, text, [3, 50]), {
      content: 'I look.',
      reasoning: 'hm',
      calls: [{ name: 'get_weather', arguments: '{"city": "A"}', ended: true }],
    });
    assert.equal(read(format, '<|channel|>final<|message|>Hi').content, 'Hi');
  });
});
