/** One server with two models for all clients: starting one takes longer than most of their tests. */
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

/** What all tests ask: greedy, so that answers are the same each time, and short. */
export const question = 'What is the weather in Paris?';
export const weatherSchema = {
  type: 'object',
  properties: { city: { type: 'string', description: 'The name of the city' } },
  required: ['city'],
  additionalProperties: false,
} as const;
export const weatherIn = (city: string): string => `It is sunny in ${city}, 31 degrees.`;
