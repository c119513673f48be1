import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { addChunk, type Chunk, messagesOf, newAnswer, speedOf, type Turn } from './conversation.ts';

const delta = (delta: object, rest: object = {}): Chunk => ({ choices: [{ delta, ...rest }] });
const answerOf = (...chunks: Chunk[]) =>
  chunks.reduce((answer, chunk, i) => addChunk(answer, chunk, 100 * (i + 1)), newAnswer(0));

describe('a streamed answer', () => {
  it('is put together, thoughts apart', () => {
    const answer = answerOf(
      delta({ role: 'assistant', content: '' }),
      delta({ reasoning_content: 'Hm.' }),
      delta({ content: 'Par' }),
      delta({ content: 'is' }),
      delta({}, { finish_reason: 'stop' }),
      { choices: [], usage: { prompt_tokens: 3, completion_tokens: 5 } },
    );
    const { content, reasoning, firstAt, finish, usage } = answer;
    assert.deepEqual([content, reasoning, firstAt, finish], ['Paris', 'Hm.', 200, 'stop']);
    assert.equal(usage?.completion_tokens, 5);
    assert.deepEqual(speedOf({ ...answer, endedAt: 2200 }, 0), { firstMs: 200, tokens: 5, perSecond: 2 });
  });

  it('has several calls, in pieces', () => {
    const answer = answerOf(
      delta({ tool_calls: [{ index: 0, id: 'a', type: 'function', function: { name: 'f', arguments: '' } }] }),
      delta({ tool_calls: [{ index: 0, function: { arguments: '{"x":' } }] }),
      delta({ tool_calls: [{ index: 0, function: { arguments: '1}' } }] }),
      delta({ tool_calls: [{ index: 1, id: 'b', function: { name: 'g', arguments: '{}' } }] }),
    );
    assert.deepEqual(answer.calls, [
      { id: 'a', name: 'f', arguments: '{"x":1}' },
      { id: 'b', name: 'g', arguments: '{}' },
    ]);
  });

  it('keeps the log-probabilities of thoughts and text apart', () => {
    const token = (token: string) => ({ logprobs: { content: [{ token, logprob: -1, top_logprobs: [] }] } });
    const answer = answerOf(delta({ reasoning_content: 'a' }, token('a')), delta({ content: 'b' }, token('b')));
    assert.deepEqual([answer.reasoningTokens[0]?.token, answer.contentTokens[0]?.token], ['a', 'b']);
  });
});

it('becomes messages, without answers that said nothing', () => {
  const answer = newAnswer(0);
  const turns: Turn[] = [
    { kind: 'question', text: 'Hi' },
    { ...answer, error: new Error('no') },
    { kind: 'question', text: 'Weather?' },
    { ...answer, calls: [{ id: 'c', name: 'weather', arguments: '{}' }] },
    { kind: 'result', callId: 'c', name: 'weather', text: 'rain' },
    { ...answer, content: 'Rain.', reasoning: 'It rains.' },
  ];
  assert.deepEqual(messagesOf(turns, 'Be brief.'), [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'Hi' },
    { role: 'user', content: 'Weather?' },
    {
      role: 'assistant',
      content: null,
      tool_calls: [{ id: 'c', type: 'function', function: { name: 'weather', arguments: '{}' } }],
    },
    { role: 'tool', tool_call_id: 'c', content: 'rain' },
    { role: 'assistant', content: 'Rain.', reasoning_content: 'It rains.' },
  ]);
  assert.deepEqual(messagesOf([], '  '), []);
});
