import assert from 'node:assert/strict';
import { it } from 'node:test';
import { defaultSettings, fieldsOf } from './settings.ts';

it('sends nothing that was left empty', () => {
  assert.deepEqual(fieldsOf(defaultSettings), {});
});

it('sends numbers, stop strings, log-probabilities, a schema and tools', () => {
  const schema = { type: 'object' };
  const tool = { name: 'f', parameters: schema };
  const fields = fieldsOf({
    ...defaultSettings,
    model: 'm',
    temperature: '0',
    max_tokens: '7',
    stop: 'a\n b\n',
    logprobs: true,
    format: 'json_schema',
    schema: JSON.stringify(schema),
    tools: JSON.stringify([tool, { type: 'function', function: tool }]),
    tool_choice: 'required',
  });
  assert.deepEqual(fields, {
    model: 'm',
    temperature: 0,
    max_tokens: 7,
    stop: ['a', ' b'],
    logprobs: true,
    top_logprobs: 5,
    response_format: { type: 'json_schema', json_schema: { name: 'answer', strict: true, schema } },
    tools: [
      { type: 'function', function: tool },
      { type: 'function', function: tool },
    ],
    tool_choice: 'required',
  });
});

it('says what is no JSON', () => {
  assert.throws(() => fieldsOf({ ...defaultSettings, tools: '[' }), /^Error: Tools: /);
  assert.throws(() => fieldsOf({ ...defaultSettings, format: 'json_schema' }), /JSON Schema: /);
});
