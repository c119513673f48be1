/** The scripted engine without a server around it: the barest listener that answers what the engine would. Prints where it listens. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

const head = { id: 'chatcmpl-1', created: 1_700_000_000, model: 'scripted' };
const usage = { prompt_tokens: 22, completion_tokens: 16, total_tokens: 38 };

function whole(): string {
  const message = { role: 'assistant', content: ' a'.repeat(16) };
  const choices = [{ index: 0, message, finish_reason: 'length' }];
  return JSON.stringify({ ...head, object: 'chat.completion', choices, usage });
}

function* streamed(): Generator<string> {
  const chunk = (delta: object, finish_reason: string | null = null) => {
    const choices = [{ index: 0, delta, finish_reason }];
    return `data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', choices })}\n\n`;
  };
  yield chunk({ role: 'assistant', content: '' });
  for (let i = 0; i < 16; i++) yield chunk({ content: ' a' });
  yield chunk({}, 'length');
  yield 'data: [DONE]\n\n';
}

const server = createServer(async (incoming, outgoing) => {
  const { stream } = JSON.parse((await text(incoming)) || '{}');
  outgoing.writeHead(200, { 'content-type': stream ? 'text/event-stream' : 'application/json' });
  if (!stream) return void outgoing.end(whole());
  for (const frame of streamed()) outgoing.write(frame);
  outgoing.end();
});
server.listen(0, '127.0.0.1', () => {
  console.log(JSON.stringify({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }));
});
