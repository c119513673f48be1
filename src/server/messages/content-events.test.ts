import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AnswerDelta } from '../../llm/answer-reader.ts';
import { ContentEvents, contentOf } from './content-events.ts';

/** A part of an answer, in pieces. */
const part = fc.oneof(
  fc.array(fc.string(), { minLength: 1 }).map(texts => texts.map((content): AnswerDelta => ({ content }))),
  fc.array(fc.string(), { minLength: 1 }).map(texts => texts.map((reasoning): AnswerDelta => ({ reasoning }))),
  fc.tuple(fc.string({ minLength: 1 }), fc.dictionary(fc.string(), fc.jsonValue()), fc.nat(20)),
);

/** Parts as deltas; calls are numbered. */
function toDeltas(parts: readonly (AnswerDelta[] | [string, object, number])[]): AnswerDelta[] {
  let calls = 0;
  return parts.flatMap(each => {
    if (typeof each[0] !== 'string') return each as AnswerDelta[];
    const [name, given, cut] = each as [string, object, number];
    const index = calls++;
    const json = JSON.stringify(given);
    const pieces = [json.slice(0, cut), json.slice(cut)];
    const begin = { index, id: `call_${index}`, name, arguments: '' };
    return [begin, ...pieces.map(text => ({ index, arguments: text }))].map(call => ({ calls: [call] }));
  });
}

test('blocks open one at a time, in order, and hold all that was said', () => {
  fc.assert(
    fc.property(fc.array(part), parts => {
      const deltas = toDeltas(parts);
      const writer = new ContentEvents();
      const events = [...deltas.flatMap(delta => writer.add(delta)), ...writer.close()];
      let open = -1;
      let count = 0;
      for (const event of events) {
        if (event.type === 'content_block_start') {
          assert.deepEqual([open, event.index], [-1, count++]);
          open = event.index;
        } else assert.equal(event.index, open);
        if (event.type === 'content_block_stop') open = -1;
      }
      assert.equal(open, -1);
      const blocks = contentOf(events);
      const textOf = (field: 'content' | 'reasoning') => deltas.map(delta => delta[field] ?? '').join('');
      assert.equal(blocks.map(block => (block.type === 'text' ? block.text : '')).join(''), textOf('content'));
      assert.equal(
        blocks.map(block => (block.type === 'thinking' ? block.thinking : '')).join(''),
        textOf('reasoning'),
      );
      const calls = parts.filter(each => typeof each[0] === 'string') as [string, object, number][];
      assert.deepEqual(
        blocks.flatMap(block => (block.type === 'tool_use' ? [[block.name, JSON.stringify(block.input)]] : [])),
        calls.map(([name, given]) => [name, JSON.stringify(JSON.parse(JSON.stringify(given)))]),
      );
      assert.equal(writer.called, calls.length > 0);
    }),
  );
});

test('arguments that were cut off are an empty object', () => {
  const writer = new ContentEvents();
  const events = writer.add({ calls: [{ index: 0, id: 'a', name: 'f', arguments: '{"x": [1' }] });
  assert.deepEqual(contentOf(events), [{ type: 'tool_use', id: 'a', name: 'f', input: {} }]);
});
