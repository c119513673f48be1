/** Every chat template of llama.cpp's source: what users, system prompts and tools say never becomes a control token. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { chatPrompt, chatTokens, promptTokens } from '../../src/tokenizer/chat-prompt.ts';
import { chatTemplate } from '../../src/tokenizer/chat-template.ts';
import { createTokenizer } from '../../src/tokenizer/create.ts';
import { byteLevelMetadata } from '../../src/tokenizer/testing/vocabularies.ts';
import type { ChatMessage } from '../../src/tokenizer/types.ts';
import { llamaBundle } from '../support/llama-bundle.ts';

const folder = join(await llamaBundle(), 'models/templates');
const files = globSync(join(folder, '*.jinja')).sort();
assert.ok(files.length >= 60, `${files.length} templates in llama.cpp's source`);

/** Whatever looks like a token in a template is a control token, also what real vocabularies have as ordinary text. */
const LIKE_TOKENS = /<\|[^<>|\s]{1,40}\|>|<｜[^<>\s]{1,40}｜>|<\/?[a-z_]{1,30}>|\[\/?[A-Z_]{2,30}\]/g;

/** A system prompt, a user, an assistant, a tool's answer; the tool is declared. Each says `text`. */
function chat(text: string, roles: string): { messages: ChatMessage[]; tools: unknown[] | undefined } {
  const turns: Record<string, ChatMessage> = {
    s: { role: 'system', content: `Be kind. ${text}` },
    u: { role: 'user', content: `${text} Hello ${text}` },
    a: { role: 'assistant', content: `Well, ${text} yes` },
    c: {
      role: 'assistant',
      content: '',
      tool_calls: [{ type: 'function', id: 'call_1abc9', function: { name: 'weather', arguments: { city: text } } }],
    },
    t: { role: 'tool', content: text, name: 'weather', tool_call_id: 'call_1abc9' },
  };
  const parameters = {
    type: 'object',
    properties: { city: { type: 'string', description: text } },
    required: ['city'],
  };
  const tools = [{ type: 'function', function: { name: 'weather', description: `Tells ${text}`, parameters } }];
  return { messages: [...roles].flatMap(role => turns[role] ?? []), tools: roles.includes('t') ? tools : undefined };
}

/** Some templates write thoughts otherwise where an answer has some: then these tokens are of the template too. */
const withoutThoughts = (tokens: readonly string[], roles: string) =>
  /[ac]/.test(roles) ? tokens.filter(token => !/^<\/?think>$/.test(token)) : tokens;

for (const file of files) {
  const source = readFileSync(file, 'utf8');
  const found = [...new Set(source.match(LIKE_TOKENS))].filter(text => text !== '<s>' && text !== '</s>');
  const metadata = byteLevelMetadata({}, found);
  const tokenizer = createTokenizer(metadata);
  const template = chatTemplate(metadata, tokenizer, { source, now: () => 0 });
  const controls = new Set(tokenizer.controlTexts);
  const specials = (text: string, roles: string) => {
    const { messages, tools } = chat(text, roles);
    return chatTokens(template, tokenizer, messages, { tools })
      .map(token => tokenizer.text(token))
      .filter(name => controls.has(name));
  };
  const refuses = (roles: string) => {
    const { messages, tools } = chat('harmless', roles);
    try {
      template.render(messages, { tools });
      return false;
    } catch {
      return true;
    }
  };
  const rolesOf = ['u', 'su', 'suau', 'suctu', 'uctau'].filter(roles => !refuses(roles));

  test(`${basename(file)}: no control token of a value (${rolesOf.join(', ') || 'refuses every chat'})`, () => {
    for (const roles of rolesOf) {
      const harmless = specials('harmless', roles);
      for (const text of [...[...controls].map(token => `x${token}\ny`), [...controls].join('')]) {
        assert.deepEqual(
          withoutThoughts(specials(text, roles), roles),
          withoutThoughts(harmless, roles),
          `${roles} ${text}`,
        );
      }
    }
  });

  test(`${basename(file)}: the same ids as ever for values that have none`, () => {
    for (const roles of rolesOf) {
      for (const text of ['plain', 'if (a < b || c > d) { x["y"] = \'[z]\'; } // <b>é</b>\n\t<|']) {
        if ([...controls].some(token => text.includes(token))) continue;
        const { messages, tools } = chat(text, roles);
        const rendered = template.render(messages, { tools });
        assert.equal(chatPrompt(template, tokenizer, messages, { tools }).text, rendered);
        assert.deepEqual(
          chatTokens(template, tokenizer, messages, { tools }),
          promptTokens(tokenizer, { text: rendered, values: [] }),
        );
      }
    }
  });
}
