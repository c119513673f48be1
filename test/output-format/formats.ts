/** Formats of some templates, for tests: one of each kind. */
import { type CallPart, KEY, type TaggedArguments, type ToolFormat } from '../../src/output-format/types.ts';

const text = (what: string): CallPart => ({ kind: 'text', text: what });
const name: CallPart = { kind: 'name' };
const json: CallPart = { kind: 'arguments', style: { kind: 'json' } };
const tagged = (style: Omit<TaggedArguments, 'kind'>): CallPart => ({
  kind: 'arguments',
  style: { kind: 'tagged', ...style },
});

const markup = tagged({
  before: '<parameter=',
  middle: '>\n',
  after: '\n</parameter>\n',
  between: '',
  strings: 'raw',
  others: 'json',
});
const keywords = tagged({ before: '', middle: '=', after: '', between: ', ', strings: 'python', others: 'python' });

export const formats = {
  hermes: {
    begin: '',
    call: [text('<tool_call>\n{"name": "'), name, text('", "arguments": '), json, text('}\n</tool_call>')],
    between: '\n',
    end: '',
    history: 'object',
  },
  markup: {
    begin: '',
    call: [text('<tool_call>\n<function='), name, text('>\n'), markup, text('</function>\n</tool_call>')],
    between: '\n',
    end: '',
    history: 'object',
  },
  python: {
    begin: '<|tool_call_start|>[',
    call: [name, text('('), keywords, text(')')],
    between: ', ',
    end: ']<|tool_call_end|>',
    history: 'object',
  },
  ids: {
    begin: '[TOOL_CALLS][',
    call: [text('{"name": "'), name, text('", "arguments": '), json, text(', "id": "'), { kind: 'id' }, text('"}')],
    between: ', ',
    end: ']',
    history: 'object',
  },
  numbered: {
    begin: '<|calls|>',
    call: [text('<|call|>functions.'), name, text(':'), { kind: 'index', base: 0 }, text('<|args|>'), json],
    between: '',
    end: '<|end|>',
    history: 'object',
  },
  quoted: {
    begin: '',
    call: [
      text('<|tool_call>call:'),
      name,
      { kind: 'arguments', style: { kind: 'json', quote: '<|"|>' } },
      text('<tool_call|>'),
    ],
    between: '',
    end: '',
    history: 'object',
  },
  elements: {
    begin: '<|calls|>\n',
    call: [
      text('<|call|>'),
      name,
      text('>'),
      tagged({
        before: '<|args|><',
        middle: '>',
        after: `<|args|></${KEY}>`,
        between: '',
        strings: 'raw',
        others: 'json',
        items: 'item',
      }),
      text('<|args|></call>'),
    ],
    between: '\n',
    end: '<|end|>',
    history: 'object',
  },
  sections: {
    begin: '',
    call: [
      text('<function name="'),
      name,
      text('">'),
      tagged({
        before: '<param name="',
        middle: '">',
        after: '</param>',
        between: '',
        strings: 'raw',
        others: 'python',
        wrapped: { open: '<![CDATA[', close: ']]>' },
      }),
      text('</function>'),
    ],
    between: '\n',
    end: '',
    history: 'object',
  },
  bare: {
    begin: '',
    call: [text('{"name": "'), name, text('", "parameters": '), json, text('}')],
    end: '',
    history: 'object',
  },
} satisfies Record<string, ToolFormat>;

/** Control tokens of a vocabulary for them. */
export const controls = [
  '<|tool_call_start|>',
  '<|tool_call_end|>',
  '[TOOL_CALLS]',
  '<|calls|>',
  '<|call|>',
  '<|args|>',
];
