/** One server with two models for all clients: starting one takes longer than most of their tests. */
import type { ChatCompletionMessageParam } from 'openai/resources/chat/completions';
import { client, folder, modelPath, type RunningServer, serve } from '../e2e/server-process.ts';
import { qwenPath } from './installed.ts';

/** What the clients' tests share; `url` is that of a running server. */
export interface Served {
  url: string;
}

export interface StartedServer {
  readonly server: RunningServer;
  stop(): Promise<void>;
}

/** `qwen` calls tools in its template's own format; `smol` is quick, and is told of a format. */
export async function start(): Promise<StartedServer> {
  const yaml = `
models:
  - { id: smol, path: ${JSON.stringify(await modelPath())}, context: 2048, tool_format: hermes }
  - { id: qwen, path: ${JSON.stringify(qwenPath())}, context: 4096 }
`;
  const files = await folder({ 'realm.yaml': yaml });
  const server = await serve('--config', `${files.path}/realm.yaml`);
  return {
    server,
    async stop() {
      await server.process.stop();
      await files.remove();
    },
  };
}

export { client };

/**
 * What all tests ask: greedy, so that answers are the same each time, and short. So small a model would call for ever
 * if there was no turn before from which it sees what follows a call.
 */
export const question = 'Call weather for Paris.';
export const result = 'sun, 31 degrees';
export const said = /\b31 degrees/;
export const earlier = {
  question: 'What is the weather in Oslo?',
  call: { id: 'call_1', name: 'weather', arguments: { city: 'Oslo' } },
  result: 'snow, 2 degrees',
  answer: 'In Oslo there is snow, at 2 degrees.',
};
/** The same as OpenAI's messages. */
export const earlierMessages: ChatCompletionMessageParam[] = [
  { role: 'user', content: earlier.question },
  {
    ...{ role: 'assistant', content: null },
    tool_calls: [
      {
        id: 'call_1',
        type: 'function',
        function: { name: 'weather', arguments: JSON.stringify(earlier.call.arguments) },
      },
    ],
  },
  { role: 'tool', tool_call_id: 'call_1', content: earlier.result },
  { role: 'assistant', content: earlier.answer },
];
export const weatherSchema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } as const;
