/** Images and other parts that are no text are refused by name, in every API: an answer that never saw them would be wrong. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { post, scripted } from './scripted.ts';

const url = 'data:image/png;base64,AA==';
const text = { type: 'text', text: 'What is this?' };
const user = (content: unknown) => [{ role: 'user', content }];
const source = { type: 'base64', media_type: 'image/png', data: 'AA==' };
const image = { type: 'image', source };

const cases: [path: string, body: object, param: string][] = [
  ...['/v1/chat/completions', '/apply-template'].flatMap((path): [string, object, string][] => [
    [path, { messages: user([text, { type: 'image_url', image_url: { url } }]) }, 'messages[0].content[1].type'],
    [path, { messages: user([{ type: 'input_audio', input_audio: {} }]) }, 'messages[0].content[0].type'],
    [path, { messages: user([{ type: 'file', file: {} }]) }, 'messages[0].content[0].type'],
    [path, { messages: user([{ type: 'video_url', video_url: { url } }]) }, 'messages[0].content[0].type'],
  ]),
  ['/v1/messages', { messages: user([text, image]) }, 'messages[0].content[1].type'],
  ['/v1/messages', { messages: user([{ type: 'document', source }]) }, 'messages[0].content[0].type'],
  [
    '/v1/messages',
    { messages: user([{ type: 'tool_result', tool_use_id: 'x', content: [image] }]) },
    'messages[0].content[0].content[0].type',
  ],
  ['/v1/messages', { system: [image], messages: user('Hi') }, 'system[0].type'],
  ['/v1/messages/count_tokens', { messages: user([image]) }, 'messages[0].content[0].type'],
  ['/v1/responses', { input: user([{ type: 'input_image', image_url: url }]) }, 'input[0].content[0].type'],
  ['/v1/responses', { input: user([{ type: 'input_file', file_id: 'x' }]) }, 'input[0].content[0].type'],
  [
    '/v1/responses',
    { input: [{ type: 'function_call_output', call_id: 'x', output: [{ type: 'input_image', image_url: url }] }] },
    'input[0].output[0].type',
  ],
  ['/api/chat', { messages: [{ role: 'user', content: 'x', images: ['AA=='] }] }, 'messages[0].images'],
  ['/api/generate', { prompt: 'x', images: ['AA=='] }, 'images'],
];

for (const [path, body, param] of cases) {
  test(`${path} refuses ${param} of ${JSON.stringify(body).slice(0, 90)}`, async () => {
    const { app } = scripted({ answer: () => 'an answer that saw nothing' });
    const response = await app.fetch(post(path, { model: 'x', max_tokens: 5, ...body }));
    const answer = await response.json();
    const { code = answer.code, param: at = answer.param, message = answer.error } = answer.error;
    assert.deepEqual([response.status, code, at], [400, 'media_unsupported', param], JSON.stringify(answer));
    assert.match(message, /not supported/);
  });
}

test('no image in the place of one is none', async () => {
  const { app } = scripted({ answer: () => 'ok' });
  const response = await app.fetch(
    post('/api/chat', { model: 'x', messages: [{ role: 'user', content: 'x', images: [] }] }),
  );
  assert.equal(response.status, 200);
});
