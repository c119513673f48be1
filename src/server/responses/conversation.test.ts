import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RealmError } from '../../errors.ts';
import { check } from '../../tenancy/issues.ts';
import { inWordsOfResponses, toChatBody } from './chat-body.ts';
import { checkOutputs, resolveItems, toMessages } from './conversation.ts';
import type { Item } from './items.ts';
import { responsesSchema } from './request.ts';
import { seal } from './sealed.ts';

const schema = responsesSchema({ messages: 20 });
const read = (body: object) => schema.parse({ input: 'Hi', ...body });
const itemsOf = (input: unknown) => read({ input }).input as Item[];
const issues = (body: object) => {
  const result = check(schema, { input: 'Hi', ...body });
  return 'issues' in result ? result.issues.map(({ path, message }) => `${path}: ${message}`) : [];
};

test('a text is a user’s message, and instructions go before it', () => {
  assert.deepEqual(toMessages('Be brief.', itemsOf('Hi')), [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'Hi' },
  ]);
});

test('what is the system’s at the beginning is one message', () => {
  const items = itemsOf([
    { role: 'developer', content: 'A' },
    { role: 'system', content: [{ type: 'input_text', text: 'B' }] },
    { role: 'user', content: 'Hi' },
    { role: 'system', content: 'C' },
  ]);
  assert.deepEqual(
    toMessages('I', items).map(({ role, content }) => [role, content]),
    [
      ['system', 'I\n\nA\n\nB'],
      ['user', 'Hi'],
      ['system', 'C'],
    ],
  );
});

test('thoughts, text and calls of one turn are one message of the assistant', () => {
  const call = (id: string) => ({ type: 'function_call', call_id: id, name: 'f', arguments: '{"a":1}' });
  const items = itemsOf([
    { role: 'user', content: 'Hi' },
    { type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: seal('Hm.') },
    { role: 'assistant', content: [{ type: 'output_text', text: 'I look.' }] },
    call('1'),
    call('2'),
    { type: 'function_call_output', call_id: '1', output: 'one' },
    { type: 'function_call_output', call_id: '2', output: [{ type: 'input_text', text: 'two' }] },
    { type: 'reasoning', summary: [], content: [{ type: 'reasoning_text', text: 'So.' }] },
    call('3'),
  ]);
  const called = (id: string) => ({ id, type: 'function', function: { name: 'f', arguments: '{"a":1}' } });
  assert.deepEqual(toMessages(undefined, items), [
    { role: 'user', content: 'Hi' },
    { role: 'assistant', content: 'I look.', reasoning_content: 'Hm.', tool_calls: [called('1'), called('2')] },
    { role: 'tool', tool_call_id: '1', content: 'one' },
    { role: 'tool', tool_call_id: '2', content: 'two' },
    { role: 'assistant', content: null, reasoning_content: 'So.', tool_calls: [called('3')] },
  ]);
});

test('a compacted conversation is what the system says of it', () => {
  const items = itemsOf([
    { type: 'compaction', encrypted_content: seal('They met.') },
    { role: 'user', content: 'Hi' },
  ]);
  const [first] = toMessages(undefined, items);
  assert.equal(first!.role, 'system');
  assert.match(first!.content!, /They met\.$/);
  assert.deepEqual(issues({ input: [{ type: 'compaction', encrypted_content: 'gAAAA' }] }), [
    'input[0].encrypted_content: was not made by this server; send the items themselves',
  ]);
});

test('what the model cannot read is refused by name', () => {
  const image = { type: 'input_image', image_url: 'data:image/png;base64,AA==' };
  assert.deepEqual(issues({ input: [{ role: 'user', content: [{ type: 'input_text', text: 'What?' }, image] }] }), [
    'input[0].content[1].type: "input_image" is not supported: no model here sees or hears; send input_text',
  ]);
  assert.deepEqual(issues({ input: [{ type: 'web_search_call', id: 'ws_1' }] }), [
    'input[0].type: has the type "web_search_call", which is not supported',
  ]);
  assert.deepEqual(issues({ background: true }), ['background: is not supported; leave it out']);
  assert.deepEqual(issues({ conversation: 'conv_1' }), ['conversation: is not supported; leave it out']);
  assert.deepEqual(issues({ input: 5 }), ['input: must be a string or a list of items']);
  assert.deepEqual(issues({ background: false, conversation: null, tools: null, metadata: null, store: null }), []);
});

test('an output must answer a call', () => {
  const items = itemsOf([{ type: 'function_call_output', call_id: 'x', output: '' }]);
  assert.throws(() => checkOutputs(items, 0), { code: 'invalid_request', param: 'input[0].call_id' });
  const call: Item = { type: 'function_call', status: 'completed', call_id: 'x', name: 'f', arguments: '{}' };
  checkOutputs([call, ...items], 1);
});

test('a reference stands for a stored item', () => {
  const { input } = read({ input: [{ type: 'item_reference', id: 'msg_1' }, { id: 'msg_2' }] });
  assert.throws(() => resolveItems(input, new Map()), { code: 'response_not_found', param: 'input[0].id' });
  const [item] = itemsOf('Hi');
  const stored = new Map([
    ['msg_1', item!],
    ['msg_2', item!],
  ]);
  assert.deepEqual(resolveItems(input, stored), [item, item]);
});

test('the chat is asked with its own names', () => {
  const request = read({
    model: 'm',
    max_output_tokens: 5,
    reasoning: { effort: 'low' },
    text: { format: { type: 'json_schema', name: 'n', schema: { type: 'object' }, strict: true } },
    tools: [
      { type: 'function', name: 'f', parameters: { type: 'object' } },
      { type: 'web_search' },
      { type: 'namespace', name: 'x', tools: [] },
      { type: 'custom', name: 'patch' },
    ],
    tool_choice: { type: 'function', name: 'f' },
    include: ['message.output_text.logprobs'],
    temperature: 0,
    top_k: 3,
  });
  const body = JSON.parse(JSON.stringify(toChatBody(request, [])));
  assert.deepEqual(body, {
    model: 'm',
    temperature: 0,
    top_k: 3,
    messages: [],
    max_completion_tokens: 5,
    reasoning_effort: 'low',
    response_format: { type: 'json_schema', json_schema: { name: 'n', schema: { type: 'object' }, strict: true } },
    tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'object' } } }],
    tool_choice: { type: 'function', function: { name: 'f' } },
    logprobs: true,
  });
});

test('the choice of tools', () => {
  const tools = ['a', 'b'].map(name => ({ type: 'function', name }));
  const choice = (mode: string) => ({ type: 'allowed_tools', mode, tools: [{ type: 'function', name: 'b' }] });
  const chosen = (tool_choice: unknown) => toChatBody(read({ tools, tool_choice }), []).tool_choice;
  assert.deepEqual(chosen(choice('required')), {
    type: 'allowed_tools',
    allowed_tools: { mode: 'required', tools: [{ type: 'function', function: { name: 'b' } }] },
  });
  assert.equal(chosen(choice('none')), 'none');
  assert.equal(chosen('required'), 'required');
  const none = toChatBody(read({ tools: [{ type: 'web_search' }], tool_choice: 'auto' }), []);
  assert.ok(!('tools' in none) && !('tool_choice' in none));
});

test('refusals of the chat’s fields name this API’s', () => {
  const words = (param: string) => {
    const error = new RealmError('invalid_request', `${param}: is wrong`, { param });
    const { message } = inWordsOfResponses(error) as RealmError;
    return message;
  };
  assert.equal(words('max_completion_tokens'), 'max_output_tokens: is wrong');
  assert.equal(words('messages[3].content'), 'input: is wrong');
  assert.equal(words('tools[1].function.parameters.x'), 'tools[1].parameters.x: is wrong');
  assert.equal(words('response_format.json_schema.schema.type'), 'text.format.schema.type: is wrong');
  assert.equal(words('temperature'), 'temperature: is wrong');
});
