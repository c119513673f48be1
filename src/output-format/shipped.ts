import { type CallPart, KEY, type OutputFormat, type TaggedArguments, type ToolFormat } from './types.ts';

/** Formats that a template does not show: it tells the model in words, or writes a history otherwise than models answer. */
interface Shipped {
  /** A text in the template's source that no other kind of template has. */
  readonly sign: string;
  readonly format: OutputFormat;
}

const text = (what: string): CallPart => ({ kind: 'text', text: what });
const name: CallPart = { kind: 'name' };
const json: CallPart = { kind: 'arguments', style: { kind: 'json' } };

/** `<tool_call>{"name": …, "arguments": …}</tool_call>`: what most models have seen, with a template for it or without. */
export const hermes: ToolFormat = {
  begin: '',
  call: [text('<tool_call>\n{"name": "'), name, text('", "arguments": '), json, text('}\n</tool_call>')],
  between: '\n',
  end: '',
  history: 'content',
};

const pythonArguments: TaggedArguments = {
  kind: 'tagged',
  before: '',
  middle: '=',
  after: '',
  between: ', ',
  strings: 'python',
  others: 'python',
};

/** `[name(key='value')]` */
const pythonic = (history: ToolFormat['history']): ToolFormat => ({
  begin: '<|tool_call_start|>[',
  call: [name, text('('), { kind: 'arguments', style: pythonArguments }, text(')')],
  between: ', ',
  end: ']<|tool_call_end|>',
  history,
});

/** Python's words and lists in markup; texts that look like markup stand in a section of their own. */
const sections: ToolFormat = {
  begin: '',
  call: [
    text('<function name="'),
    name,
    text('">'),
    {
      kind: 'arguments',
      style: {
        kind: 'tagged',
        before: '<param name="',
        middle: '">',
        after: '</param>',
        between: '',
        strings: 'raw',
        others: 'python',
        wrapped: { open: '<![CDATA[', close: ']]>' },
      },
    },
    text('</function>'),
  ],
  between: '\n',
  end: '',
  // The template writes the calls of a history twice.
  history: 'content',
};

/** Elements in elements, each behind a token of its own. */
const nestedElements = (mark: string): ToolFormat => ({
  begin: `${mark}<tool_call>\n`,
  call: [
    text(`${mark}<invoke name="`),
    name,
    text('">'),
    {
      kind: 'arguments',
      style: {
        kind: 'tagged',
        before: `${mark}<`,
        middle: '>',
        after: `${mark}</${KEY}>`,
        between: '',
        strings: 'raw',
        others: 'json',
        items: 'item',
      },
    },
    text(`${mark}</invoke>`),
  ],
  between: '\n',
  end: `\n${mark}</tool_call>`,
  history: 'object',
});

const thinkTags = { open: '<think>', close: '</think>' };

const deepseek: ToolFormat = {
  begin: '<｜tool▁calls▁begin｜>',
  call: [
    text('<｜tool▁call▁begin｜>function<｜tool▁sep｜>'),
    name,
    text('\n```json\n'),
    json,
    text('\n```<｜tool▁call▁end｜>'),
  ],
  between: '\n',
  end: '<｜tool▁calls▁end｜>',
  history: 'text',
};

/** Models name the recipient of a call in the channel or in front of it, take either channel, and say what the arguments are or not. */
const harmonyCalls = ['commentary', 'analysis'].flatMap(channel =>
  [' <|constrain|>json', ' json', ''].flatMap((kind): CallPart[][] => [
    [text(`<|channel|>${channel} to=functions.`), name, text(`${kind}<|message|>`), json],
    [text('to=functions.'), name, text(`<|channel|>${channel}${kind}<|message|>`), json],
  ]),
);

const harmony: OutputFormat = {
  reasoning: {
    open: '<|channel|>analysis<|message|>',
    close: '<|end|>',
    next: '<|start|>assistant',
  },
  text: {
    open: '<|channel|>final<|message|>',
    close: '',
    silent: [
      '<|start|>assistant<|channel|>final<|message|>',
      '<|channel|>final<|message|>',
      '<|channel|>final <|constrain|>json<|message|>',
      '<|channel|>final json<|message|>',
      '<|channel|>commentary<|message|>',
      '<|channel|>commentary to=assistant',
      '<|start|>assistant',
      '<|end|>',
    ],
  },
  tools: {
    begin: '',
    call: [text('<|channel|>commentary to=functions.'), name, text(' <|constrain|>json<|message|>'), json],
    also: harmonyCalls,
    end: '',
    history: 'object',
  },
};

const gemma4: OutputFormat = {
  reasoning: { open: '<|channel>thought\n', close: '<channel|>', anywhere: true },
  tools: {
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
};

const typedParameters: TaggedArguments = {
  kind: 'tagged',
  before: '<|open|>argument key="',
  middle: {
    string: '" type="string"<|sep|>',
    number: '" type="number"<|sep|>',
    boolean: '" type="boolean"<|sep|>',
    null: '" type="null"<|sep|>',
    array: '" type="array"<|sep|>',
    object: '" type="object"<|sep|>',
  },
  after: '<|close|>argument<|sep|>',
  between: '',
  strings: 'raw',
  others: 'json',
};

const kimi3: OutputFormat = {
  reasoning: { open: '<|open|>think<|sep|>', close: '<|close|>think<|sep|>' },
  text: {
    open: '<|open|>response<|sep|>',
    close: '<|close|>response<|sep|>',
    silent: ['<|open|>response<|sep|>', '<|close|>response<|sep|>', '<|close|>message<|sep|>'],
  },
  tools: {
    begin: '<|open|>tools<|sep|>',
    call: [
      text('<|open|>call tool="'),
      name,
      text('" index="'),
      { kind: 'index', base: 1 },
      text('"<|sep|>'),
      { kind: 'arguments', style: typedParameters },
      text('<|close|>call<|sep|>'),
    ],
    between: '',
    end: '<|close|>tools<|sep|>',
    history: 'object',
  },
};

export const shipped: readonly Shipped[] = [
  { sign: '<tool_def_sep>', format: { reasoning: thinkTags, tools: sections } },
  {
    sign: ']<]minimax[>[',
    format: { reasoning: { open: '<mm:think>', close: '</mm:think>' }, tools: nestedElements(']<]minimax[>[') },
  },
  { sign: '<|channel|>analysis<|message|>', format: harmony },
  { sign: '<|tool_call>call:', format: gemma4 },
  { sign: 'List of tools: <|tool_list_start|>[', format: { tools: pythonic('content') } },
  {
    sign: 'message.thinking is defined and (preserve_thinking',
    format: { reasoning: thinkTags, tools: pythonic('object') },
  },
  { sign: '"List of tools: [" -%}', format: { reasoning: thinkTags, tools: pythonic('content') } },
  {
    sign: 'respond only with <|tool_call|> followed by a JSON list of tools used',
    format: {
      reasoning: thinkTags,
      tools: {
        begin: '<|tool_call|>[',
        call: [text('{"name": "'), name, text('", "arguments": '), json, text('}')],
        between: ', ',
        end: ']',
        history: 'content',
      },
    },
  },
  {
    sign: "message['role'] == 'assistant' and message['content'] is none",
    format: { reasoning: thinkTags, tools: deepseek },
  },
  { sign: "open_tag('call', [('tool', fn.name), ('index', loop.index)])", format: kimi3 },
];
