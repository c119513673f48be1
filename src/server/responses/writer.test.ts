import assert from 'node:assert/strict';
import { test } from 'node:test';
import { responsesSchema } from './request.ts';
import { echoOf } from './response.ts';
import { unseal } from './sealed.ts';
import { type ResponseEvent, ResponseWriter } from './writer.ts';

const usage = { promptTokens: 5, cachedTokens: 2, completionTokens: 3 };
const echo = JSON.stringify(echoOf(responsesSchema({ messages: 9 }).parse({ input: 'Hi' })));
const head = { id: 'resp_1', created_at: 7, model: 'm', temperature: 1, top_p: 1, echo };
const writer = (options = {}) => new ResponseWriter(head, options);
// biome-ignore lint/suspicious/noExplicitAny: the assertions check the shape
const read = (events: readonly ResponseEvent[]): any[] => events.map(({ json }) => JSON.parse(json));
const outputOf = (write: ResponseWriter) => write.output.map(([, json]) => JSON.parse(json));
const types = (events: readonly ResponseEvent[]) => events.map(({ type }) => type.replace('response.', ''));

test('a text is a message whose events are numbered from the first to the last', () => {
  const write = writer();
  const events = [
    ...write.start(),
    ...write.piece({ kind: 'content', text: 'Pa' }),
    ...write.piece({ kind: 'content', text: '' }),
    ...write.piece({ kind: 'content', text: 'ris' }),
    ...write.end('stop', usage, 9),
  ];
  assert.deepEqual(types(events), [
    'created',
    'in_progress',
    'output_item.added',
    'content_part.added',
    'output_text.delta',
    'output_text.delta',
    'output_text.done',
    'content_part.done',
    'output_item.done',
    'completed',
  ]);
  assert.deepEqual(
    read(events).map(({ sequence_number }) => sequence_number),
    events.map((_, i) => i),
  );
  const part = { type: 'output_text', text: 'Paris', annotations: [], logprobs: [] };
  const message = { type: 'message', id: 'msg_1_0', status: 'completed', role: 'assistant', content: [part] };
  assert.deepEqual(read(events).at(-2).item, message);
  const response = JSON.parse(write.response());
  assert.deepEqual(read(events).at(-1).response, response);
  assert.deepEqual(response.output, [message]);
  assert.equal(response.status, 'completed');
  assert.equal(response.completed_at, 9);
  assert.deepEqual(response.usage, {
    input_tokens: 5,
    input_tokens_details: { cached_tokens: 2 },
    output_tokens: 3,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: 8,
  });
});

test('thoughts, text and calls are items one behind the other', () => {
  const write = writer({ sealed: true });
  const events = [
    ...write.start(),
    ...write.piece({ kind: 'reasoning', text: 'Hm.' }),
    ...write.piece({ kind: 'content', text: 'I look.' }),
    ...write.piece({ kind: 'call', id: 'call_a', name: 'look' }),
    ...write.piece({ kind: 'arguments', text: '{"at"' }),
    ...write.piece({ kind: 'arguments', text: ':1}' }),
    ...write.piece({ kind: 'call', id: 'call_b', name: 'look' }),
    ...write.piece({ kind: 'arguments', text: '{}' }),
    ...write.end('stop', usage),
  ];
  assert.deepEqual(types(events).slice(2, -1), [
    'output_item.added',
    'content_part.added',
    'reasoning_text.delta',
    'reasoning_text.done',
    'content_part.done',
    'output_item.done',
    'output_item.added',
    'content_part.added',
    'output_text.delta',
    'output_text.done',
    'content_part.done',
    'output_item.done',
    'output_item.added',
    'function_call_arguments.delta',
    'function_call_arguments.delta',
    'function_call_arguments.done',
    'output_item.done',
    'output_item.added',
    'function_call_arguments.delta',
    'function_call_arguments.done',
    'output_item.done',
  ]);
  const [thoughts, , first, second] = outputOf(write);
  assert.ok(thoughts.type === 'reasoning');
  assert.deepEqual(thoughts.content, [{ type: 'reasoning_text', text: 'Hm.' }]);
  assert.equal(unseal(thoughts.encrypted_content), 'Hm.');
  assert.deepEqual(first, {
    type: 'function_call',
    id: 'fc_1_2',
    call_id: 'call_a',
    name: 'look',
    arguments: '{"at":1}',
    status: 'completed',
  });
  assert.equal(second.id, 'fc_1_3');
  for (const { output_index, item_id, item } of read(events).slice(2, -1)) {
    assert.equal(item_id ?? item.id, write.output[output_index]![0]);
  }
});

test('what was cut off is incomplete and says why', () => {
  const write = writer();
  write.piece({ kind: 'content', text: 'a' });
  const [event] = write.end('length', usage).slice(-1);
  assert.equal(event!.type, 'response.incomplete');
  const { status, incomplete_details, output } = JSON.parse(write.response());
  assert.equal(status, 'incomplete');
  assert.deepEqual(incomplete_details, { reason: 'max_output_tokens' });
  assert.equal(output[0].status, 'incomplete');
});

test('a failure is the last event, with what was written until then', () => {
  const write = writer();
  write.piece({ kind: 'content', text: 'a' });
  const error = { code: 'engine_failed', message: 'it failed', type: 'server_error', param: null };
  const last = write.fail(error, usage).at(-1)!;
  assert.equal(last.type, 'response.failed');
  const { error: said, output } = JSON.parse(write.response());
  assert.deepEqual(said, { code: 'engine_failed', message: 'it failed' });
  assert.equal(output.length, 1);
});

test('an empty answer is an empty message', () => {
  const write = writer();
  write.end('stop', usage);
  assert.equal(write.output.length, 1);
  assert.equal(outputOf(write)[0].type, 'message');
});
