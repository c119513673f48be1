import type { ChatMessage } from '../tokenizer/types.ts';

/** Names and texts that no template has in its own. Ids are nine letters, which some templates insist on. */
export interface ProbeCall {
  readonly name: string;
  readonly id: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

export const user: ChatMessage = { role: 'user', content: 'zquser' };

const description = 'zqdescription';
const strings = ['zqalpha', 'zqbeta'];
/** Of every probe tool: texts first. */
const properties = {
  zqalpha: { type: 'string', description },
  zqbeta: { type: 'string', description },
  zqcount: { type: 'integer', description },
  zqflag: { type: 'boolean', description },
  zqinner: { type: 'object', description, additionalProperties: { type: 'string' } },
  zqlist: { type: 'array', description, items: { type: 'string' } },
  zqnone: { type: 'integer', description },
};

export const probeTools = ['zqfirst', 'zqsecond', 'zqthird'].map(name => ({
  type: 'function',
  function: {
    name,
    description,
    parameters: { type: 'object', properties, required: ['zqalpha'] },
  },
}));

/** Calls of the probe tools in their order, each with so many arguments that are texts. */
export function textCalls(count: number, texts: number): ProbeCall[] {
  return probeTools.slice(0, count).map(({ function: { name } }, i) => ({
    name,
    id: `zqident${'abc'[i]}a`,
    arguments: Object.fromEntries(strings.slice(0, texts).map(key => [key, `${key}${name}`])),
  }));
}

/** One call with arguments of every type, a text last. */
export const mixedCall: ProbeCall = {
  name: 'zqfirst',
  id: 'zqidentaa',
  arguments: {
    zqcount: 8315,
    zqflag: true,
    zqinner: { zqdeep: [true, null, 'zqleaf'] },
    zqlist: [9174, 'zqitem'],
    zqnone: null,
    zqalpha: 'zqvalue',
  },
};

/** Texts that look like something else. */
export const awkwardCall: ProbeCall = {
  name: 'zqsecond',
  id: 'zqidentba',
  arguments: {
    zqalpha: 'Say "it\'s {1: [2]}", then\n  <b>go</b> & C:\\new | {{ x }}, ok = (1)',
    zqbeta: '42',
    zqcount: -7,
    zqinner: { zqdeep: 'é "\n', zqempty: {}, zqflag: false },
  },
};

/** The answer of a model that makes these calls. */
export function answer(calls: readonly ProbeCall[], history: 'object' | 'text', content = ''): ChatMessage {
  const tool_calls = calls.map(({ name, id, arguments: given }) => ({
    type: 'function',
    id,
    function: { name, arguments: history === 'object' ? given : JSON.stringify(given) },
  }));
  return { role: 'assistant', content, tool_calls };
}
