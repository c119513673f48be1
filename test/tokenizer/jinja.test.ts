import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { RealmError } from '../../src/errors.ts';
import { chatTemplate } from '../../src/tokenizer/chat-template.ts';
import { createTokenizer } from '../../src/tokenizer/create.ts';
import { byteLevelMetadata } from '../../src/tokenizer/testing/vocabularies.ts';
import type { ChatMessage } from '../../src/tokenizer/types.ts';
import { llamaBundle } from '../support/llama-bundle.ts';

/** What scripts/jinja-fixtures.py wrote: what Python's Jinja2 makes of the same, null where it fails. */
const fixture = (name: string) => JSON.parse(readFileSync(new URL(`fixtures/${name}.json`, import.meta.url), 'utf8'));
const now = () => Date.UTC(2024, 6, 4, 12, 5, 9);
const metadata = byteLevelMetadata();
const tokenizer = createTokenizer(metadata);

/** Where Realm differs from Jinja2, why, and in how many cases exactly. */
interface Difference {
  readonly reason: string;
  readonly cases: RegExp;
  readonly count: number;
}

const NONE_LOOPS =
  'a loop over none runs no times: many templates loop over `tools` without looking whether there are any';
const NO_MARKUP = 'prompts are not HTML: what `safe` and `escape` give is text, and nothing added to it is escaped';

const OWN_LISTS =
  'a template may change lists that it wrote itself; that what it was given stays as it is, is what matters';

const differences: Difference[] = [
  { reason: OWN_LISTS, cases: /\)\.(append|extend|insert|pop)\(/, count: 5 },
  { reason: NONE_LOOPS, cases: /in none %}/, count: 1 },
  {
    reason: 'tojson writes null for an undefined value: a tool without `parameters` should not refuse the chat',
    cases: /missing[)\]] \| tojson/,
    count: 8,
  },
  { reason: NO_MARKUP, cases: /\| escape \| upper|autoescape/, count: 2 },
  {
    reason: 'filters that lay text out for HTML or for a terminal are refused by name',
    cases: /\| (pprint|striptags|urlize|wordwrap\(5\)|xmlattr)$/,
    count: 70,
  },
  { reason: 'there are no bytes', cases: /\.encode\(\)$/, count: 13 },
  { reason: 'there are no complex numbers', cases: /^\(-3\) \*\* \(2\.5\)$|^\(-8\) \*\* \(1 \/ 3\)$/, count: 2 },
  { reason: 'there is one template, so no blocks of another to fill in', cases: /\{% block/, count: 1 },
  {
    reason: 'undefined has no attributes at all, not even those that Python hides',
    cases: /^\(missing\)\.__class__$/,
    count: 1,
  },
  {
    reason: 'the filter attr takes undefined for what it is elsewhere: nothing',
    cases: /^\(missing\) \| attr/,
    count: 1,
  },
  { reason: 'a loop may call its own variable `loop`', cases: /\{% for loop in/, count: 1 },
  { reason: 'a part of a range prints its numbers', cases: /^range\(5\)\[1:3\]$/, count: 1 },
];

function render(source: string): string | null {
  try {
    return chatTemplate(metadata, tokenizer, { source, now }).render([]);
  } catch (error) {
    assert.ok(error instanceof RealmError, `${source}: ${error}`);
    return null;
  }
}

/** A fixture's cases: what they are called, the template, and what Jinja2 makes of it. */
function* expressions(): Generator<[name: string, source: string, expected: string | null]> {
  const { values, strings, pairs, single, strung, alone, whole } = fixture('jinja');
  const grids: [Record<string, (string | null)[]>, string[], string[]][] = [
    [pairs, values, values],
    [single, values, ['']],
    [strung, strings, ['']],
  ];
  for (const [grid, firsts, seconds] of grids) {
    for (const [pattern, expected] of Object.entries(grid)) {
      const all = firsts.flatMap(a => seconds.map(b => pattern.replaceAll('@', () => a).replaceAll('#', () => b)));
      assert.equal(all.length, expected.length, pattern);
      for (const [i, name] of all.entries()) yield [name, `{{ [${name}] }}`, expected[i] ?? null];
    }
  }
  for (const [name, expected] of Object.entries<string | null>(alone)) yield [name, `{{ [${name}] }}`, expected];
  for (const [source, expected] of Object.entries<string | null>(whole)) yield [source, source, expected];
}

test('expressions, white space, loops and macros are as in Jinja2, but for what is listed', () => {
  const counts = new Map(differences.map(difference => [difference, 0]));
  const unexpected: string[] = [];
  let compared = 0;
  for (const [name, source, expected] of expressions()) {
    if (expected === '(address)') continue;
    compared++;
    const actual = render(source);
    if (actual === expected) continue;
    const listed = differences.find(({ cases }) => cases.test(name));
    if (!listed) unexpected.push(`${name}: ${JSON.stringify(actual)}, Jinja2 ${JSON.stringify(expected)}`);
    else counts.set(listed, (counts.get(listed) ?? 0) + 1);
  }
  assert.deepEqual(unexpected, []);
  assert.ok(compared > 13_000, `${compared} cases`);
  for (const [{ reason, count }, found] of counts) assert.equal(found, count, reason);
});

interface Expected {
  text?: string;
  sha256?: string;
  refused?: string;
  failed?: true;
}

interface Chat {
  messages: ChatMessage[];
  tools?: unknown[];
}

const { chats, templates }: { chats: Record<string, Chat>; templates: Record<string, Record<string, Expected>> } =
  fixture('templates');
const folder = join(await llamaBundle(), 'models/templates');

const FOLDED = 'it refuses system prompts; they go into the first user message';
const LATE = 'it refuses or leaves out what the system says in the middle; that goes into a user message';
const THOUGHTS = 'thoughts are given to it by the name that it reads';
const INSIDE = 'it knows no turns of tools; results go into the turn that called';
const templateDifferences: Record<string, readonly [reason: string, count: number]> = {
  'Apertus-8B-Instruct': [LATE, 2],
  'Bielik-11B-v3.0-Instruct': [LATE, 2],
  'HuggingFaceTB-SmolLM3-3B': [LATE, 2],
  'MiniMax-M1': [LATE, 2],
  'MiniMax-M2': [LATE, 2],
  'MiniMax-M3': [LATE, 2],
  'Mistral-Small-3.2-24B-Instruct-2506': [LATE, 2],
  'NVIDIA-Nemotron-Nano-v2': [LATE, 2],
  'Qwen3.5-4B': [LATE, 2],
  'Reka-Edge': [LATE, 2],
  'mistralai-Ministral-3-14B-Reasoning-2512': [LATE, 2],
  'mistralai-Mistral-Nemo-Instruct-2407': [LATE, 2],
  'openai-gpt-oss-120b': [`${LATE}; ${THOUGHTS}`, 3],
  'CohereForAI-c4ai-command-r-plus-tool_use': [NONE_LOOPS, 36],
  'Kimi-K2-Instruct': [OWN_LISTS, 8],
  'Kimi-K2-Thinking': [OWN_LISTS, 8],
  'LFM2.5-8B-A1B': [`${NONE_LOOPS}; ${THOUGHTS}`, 4],
  'NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use': [NONE_LOOPS, 36],
  'NousResearch-Hermes-3-Llama-3.1-8B-tool_use': [NONE_LOOPS, 36],
  'google-gemma-2-2b-it': [FOLDED, 14],
  'google-gemma-4-31B-it-interleaved': [INSIDE, 4],
  'llama-cpp-deepseek-r1': ['tojson takes a generator', 12],
  'meetkai-functionary-medium-v3.1': [NO_MARKUP, 12],
};

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

function renderChat(source: string, { messages, tools }: Chat, addGenerationPrompt: boolean): Expected {
  try {
    return {
      text: chatTemplate(metadata, tokenizer, { source, now }).render(messages, { tools, addGenerationPrompt }),
    };
  } catch (error) {
    assert.ok(error instanceof RealmError, String(error));
    const refused = /^the chat template refuses these messages: ([\s\S]*)$/.exec(error.message);
    return refused ? { refused: refused[1] ?? '' } : { failed: true };
  }
}

function checkCase(source: string, name: string, expected: Expected): void {
  const [, chat = '', open] = /^(.*?)(, open)?$/.exec(name) ?? [];
  const asked = chats[chat];
  assert.ok(asked, `there is no chat ${chat}`);
  const actual = renderChat(source, asked, !open);
  if (expected.sha256 !== undefined && actual.text !== undefined) {
    assert.equal(sha256(actual.text), expected.sha256, `${name}: ${actual.text}`);
  } else {
    assert.deepEqual(actual, expected, name);
  }
}

describe("llama.cpp's templates give what they give in Jinja2", () => {
  for (const [template, cases] of Object.entries(templates)) {
    test(template, () => {
      const source = readFileSync(join(folder, `${template}.jinja`), 'utf8');
      const [reason, count] = templateDifferences[template] ?? ['', 0];
      let differs = 0;
      for (const [name, expected] of Object.entries(cases)) {
        try {
          checkCase(source, name, expected);
        } catch (error) {
          if (reason === '') throw error;
          differs++;
        }
      }
      assert.equal(differs, count, reason);
    });
  }
});
