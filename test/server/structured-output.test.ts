/** What clients call the form of an answer, and what the engine is told. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { post, ScriptedModel, scripted } from './scripted.ts';

const schema = { type: 'object', properties: { a: { type: 'integer' } } };
const json = { kind: 'json_schema', schema: JSON.stringify(schema) };
const messages = [{ role: 'user', content: 'Hi' }];

function serve(format: ScriptedModel['format'] = {}) {
  const model = new ScriptedModel('scripted', { answer: () => '{}' });
  Object.assign(model, { format });
  const { app } = scripted({ answer: () => '' }, { models: [model] });
  const ask = async (body: object, path = '/v1/chat/completions') => {
    const response = await app.fetch(post(path, body));
    return { status: response.status, body: await response.json(), constraint: model.requests.at(-1)?.constraint };
  };
  return { ask };
}

const forms: [object, object | undefined][] = [
  [{ response_format: { type: 'text' } }, undefined],
  [{ response_format: null, grammar: null }, undefined],
  [{ response_format: { type: 'json_object' } }, { kind: 'json_object' }],
  [{ response_format: { type: 'json_object', schema } }, json],
  [{ response_format: { type: 'json_schema', json_schema: { name: 'x', strict: true, schema } } }, json],
  [{ guided_json: schema }, json],
  [{ guided_json: JSON.stringify(schema) }, json],
  [{ guided_regex: 'a+' }, { kind: 'regex', pattern: 'a+' }],
  [{ guided_choice: ['a', 'b'] }, { kind: 'choice', choices: ['a', 'b'] }],
  [{ guided_grammar: 'root ::= "a"' }, { kind: 'gbnf', grammar: 'root ::= "a"' }],
  [{ guided_grammar: 'start: "a"' }, { kind: 'lark', grammar: 'start: "a"' }],
  [{ structured_outputs: { json: schema } }, json],
  [{ structured_outputs: { json_object: true } }, { kind: 'json_object' }],
  [{ json_schema: schema }, json],
  [{ grammar: 'root ::= "a"' }, { kind: 'gbnf', grammar: 'root ::= "a"' }],
];

for (const [body, expected] of forms)
  test(`${JSON.stringify(body)} in chats and completions`, async () => {
    const { ask } = serve();
    const chat = await ask({ messages, ...body });
    assert.deepEqual([chat.status, chat.constraint], [200, expected]);
    const completion = await ask({ prompt: 'a', ...body }, '/v1/completions');
    assert.deepEqual([completion.status, completion.constraint], [200, expected]);
  });

test('a model that thinks may think before', async () => {
  const reasoning = { open: '<think>', close: '</think>' };
  const { ask } = serve({ reasoning });
  const { constraint } = await ask({ messages, guided_json: schema });
  assert.deepEqual(constraint, {
    kind: 'answer',
    reasoning: { ...reasoning, begun: false },
    text: undefined,
    tools: undefined,
    content: json,
  });
});

test('forms that are none, and two of them, are refused by name', async () => {
  const { ask } = serve();
  const wrong: [object, string][] = [
    [{ response_format: { type: 'json_schema' } }, 'response_format.json_schema: is required'],
    [
      { response_format: { type: 'json_schema', json_schema: { name: 'x' } } },
      'response_format.json_schema.schema: is required',
    ],
    [{ guided_json: 1 }, 'guided_json: must be a JSON Schema'],
    [{ guided_json: '{' }, 'guided_json: must be a JSON Schema'],
    [{ guided_choice: [] }, 'guided_choice: must have at least 1 entries'],
    [{ guided_json: schema, grammar: 'a' }, 'grammar: says what guided_json says already; only one of them can hold'],
    [
      { structured_outputs: { json: schema, regex: 'a' } },
      'structured_outputs.regex: says what structured_outputs.json',
    ],
    [{ allowed_token_ids: [3] }, 'allowed_token_ids: is not supported'],
    [{ mirostat: 2 }, 'mirostat: is not supported'],
  ];
  for (const [body, message] of wrong) {
    const { status, body: answer } = await ask({ messages, ...body });
    assert.equal(status, 400, message);
    assert.ok(answer.error.message.startsWith(message), answer.error.message);
    assert.equal(answer.error.param, message.slice(0, message.indexOf(':')));
  }
});
