import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { finish } from '../tokenizer/steps.ts';
import type { ChatMessage, Token, Tokenizer } from '../tokenizer/types.ts';
import type { ModelText } from './model-text.ts';
import { encodeShortened } from './shorten-chat.ts';

/** A token a character; a message is its role's first letter and its content. */
const encode = (text: string) => [...text].map(char => char.charCodeAt(0) as Token);
const tokenizer = {
  controlTexts: [],
  vocabSize: 256,
  encode,
  // biome-ignore lint/correctness/useYield: it has no steps
  *encodeInSteps(text: string) {
    return encode(text);
  },
} as unknown as Tokenizer;
const template = {
  name: 'file',
  source: '',
  habits: { content: 'text', system: 'own' },
  render: (messages: readonly ChatMessage[]) => messages.map(({ role, content }) => role[0] + content).join(''),
} as unknown as ModelText['template'];
const model = { tokenizer, template, format: {}, defaults: {} } as unknown as ModelText;

const say = (role: string, content = '') => ({ role, content });

function shortened(messages: readonly ChatMessage[], context: number, room = 1): string {
  const { tokens } = finish(encodeShortened(model, { messages }, { context, room }));
  return String.fromCharCode(...tokens);
}

test('what fits is as it was', () => {
  assert.equal(shortened([say('user', '1'), say('assistant', '2'), say('user', '3')], 7), 'u1a2u3');
});

test('the oldest go first, and a turn begins with the user', () => {
  const messages = [say('system', '!'), say('user', '1'), say('assistant', '2'), say('user', '3'), say('user', '4')];
  assert.equal(shortened(messages, 10), 's!u3u4');
  assert.equal(shortened(messages, 6), 's!u4');
  assert.equal(shortened(messages, 10, 5), 's!u4');
});

test("results stay with their calls, and the user's last message stays", () => {
  const messages = [
    ...[say('user', '?'), say('assistant', '1'), say('tool', '2'), say('tool', '3')],
    ...[say('assistant', '4'), say('tool', '5')],
  ];
  assert.equal(shortened(messages, 12), 'u?a4t5');
});

test('where even the last turn is too long, that is said', () => {
  assert.throws(() => shortened([say('system', '123'), say('user', '456')], 8), { code: 'context_length_exceeded' });
  assert.equal(shortened([say('user', 'x'.repeat(50)), say('user', '456')], 8, 8), 'u456');
});

test('no shorter cut would do', () => {
  const role = fc.constantFrom('system', 'user', 'assistant', 'tool');
  const message = fc.tuple(role, fc.string({ maxLength: 9, unit: fc.constantFrom('.', ',') }));
  fc.assert(
    fc.property(fc.array(message, { maxLength: 12 }), fc.integer({ min: 20, max: 60 }), (made, context) => {
      const messages = [...made.map(([who, text]) => say(who, text)), say('user', 'end')];
      const whole = messages.map(({ role, content }) => role[0] + content).join('');
      try {
        const text = shortened(messages, context, context >> 2);
        assert.ok(text.length < context && text.endsWith('uend'));
        if (whole.length < context) assert.equal(text, whole);
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'context_length_exceeded');
        const least = messages
          .filter(({ role }) => role === 'system')
          .reduce((sum, m) => sum + 1 + m.content.length, 4);
        assert.ok(least >= context);
      }
    }),
  );
});
