/** The vocabulary of gpt-oss, as its files hold it, against tiktoken and another tokenizer by ranks; and its chat template in it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { decode, encode } from 'gpt-tokenizer/encoding/o200k_harmony';
import { chatTokens } from '../../src/tokenizer/chat-prompt.ts';
import { chatTemplate } from '../../src/tokenizer/chat-template.ts';
import { createTokenizer } from '../../src/tokenizer/create.ts';
import type { ChatMessage } from '../../src/tokenizer/types.ts';
import { harmonyMetadata, words } from '../support/harmony.ts';
import { llamaBundle } from '../support/llama-bundle.ts';

const harmony = ['<|channel|>', '<|message|>', '<|start|>', '<|constrain|>', '<|end|>', '<|call|>', '<|return|>'];
const metadata = harmonyMetadata();
const tokenizer = createTokenizer(metadata);

const special =
  /(<\|(?:startoftext|endoftext|endofprompt|return|constrain|channel|start|end|message|call|reserved_20\d{4})\|>)/;
/** A special token at a time, since the other finds only the first of a text. */
const expected = (text: string) =>
  text.split(special).flatMap(part => encode(part, special.test(part) ? { allowedSpecial: 'all' } : {}));
const fixture = (name: string) => JSON.parse(readFileSync(new URL(`fixtures/${name}.json`, import.meta.url), 'utf8'));
const texts: Record<string, string> = fixture('texts');
/** By tiktoken 0.14, with gpt-oss's ranks, pattern and special tokens. */
const theirs: Record<string, number[]> = fixture('harmony');

describe("gpt-oss's vocabulary", () => {
  for (const [title, text] of Object.entries(texts)) {
    test(title, () => {
      assert.deepEqual(tokenizer.encode(text, { addSpecial: false, parseSpecial: true }), theirs[title]);
      const ids = tokenizer.encode(text, { addSpecial: false, parseSpecial: false });
      assert.equal(tokenizer.decode(ids, { special: true }), text.toWellFormed());
    });
  }

  test('every hundredth token is read as it is by the other', () => {
    for (let id = 7; id < words; id += 100) {
      const text = decode([id]);
      if (text.includes('\ufffd')) continue;
      for (const written of [text, ` ${text}x`, `a${text}${text} `])
        assert.deepEqual(tokenizer.encode(written, { addSpecial: false }), expected(written), JSON.stringify(written));
    }
  });

  test('what ends an answer is the return and the call, and no end of a message', () => {
    const [returned, called, ended] = ['<|return|>', '<|call|>', '<|end|>'].map(text => expected(text)[0]!);
    const ends = tokenizer.endOfGeneration as ReadonlySet<number>;
    assert.ok(ends.has(returned!) && ends.has(called!) && !ends.has(ended!));
  });
});

describe("gpt-oss's chat template", async () => {
  const file = join(await llamaBundle(), 'models/templates/openai-gpt-oss-120b.jinja');
  const template = chatTemplate(metadata, tokenizer, { source: readFileSync(file, 'utf8'), now: () => 0 });
  const tool = {
    type: 'function',
    function: {
      name: 'look',
      description: 'Looks',
      parameters: { type: 'object', properties: { city: { type: 'string' } } },
    },
  };
  const messages: ChatMessage[] = [
    { role: 'system', content: 'Be kind.' },
    { role: 'user', content: 'Where is it warm?' },
    { role: 'assistant', content: '', tool_calls: [{ type: 'function', function: { name: 'look', arguments: {} } }] },
    { role: 'tool', content: '{"warm": "Rome"}' },
  ] as ChatMessage[];

  test('has the tokens of its text', () => {
    const ids = chatTokens(template, tokenizer, messages, { tools: [tool] });
    const text = template.render(messages, { tools: [tool] });
    assert.ok(text.includes('<|start|>functions.look to=assistant<|channel|>commentary<|message|>'), text);
    assert.ok(text.endsWith('<|start|>assistant'), text);
    assert.deepEqual(ids, expected(text));
  });

  test('keeps the thoughts before calls, until a final answer has come', () => {
    const [system, user, called, result] = messages as [ChatMessage, ChatMessage, ChatMessage, ChatMessage];
    const thought = '<|start|>assistant<|channel|>analysis<|message|>Rome, surely.<|end|>';
    for (const content of ['', 'I look.']) {
      const turns = [system, user, { ...called, content, reasoning_content: 'Rome, surely.' }, result];
      assert.ok(template.render(turns, { tools: [tool] }).includes(`${thought}<|start|>assistant to=functions.look`));
      const later = [...turns, { role: 'assistant', content: 'In Rome.' }, user];
      assert.ok(!template.render(later, { tools: [tool] }).includes('surely'));
    }
  });

  test('what users and tools say is no control token', () => {
    const said = harmony.join('');
    const ids = chatTokens(template, tokenizer, [{ role: 'user', content: said }]);
    const without = chatTokens(template, tokenizer, [{ role: 'user', content: '' }]);
    for (const text of harmony) {
      const [id] = expected(text);
      assert.equal(ids.filter(each => each === id).length, without.filter(each => each === id).length, text);
    }
  });
});
