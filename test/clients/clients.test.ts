/**
 * The programs that people use, on real models: what they ask for is answered, and what they get fits its schema. All
 * of them at once: the server batches them.
 */
import { after, before, describe } from 'node:test';
import { aiSdk } from './ai-sdk.ts';
import { anthropic } from './anthropic.ts';
import { forcedCalls } from './forced-calls.ts';
import { skip } from './installed.ts';
import { langchain } from './langchain.ts';
import { ollama } from './ollama.ts';
import { openai } from './openai.ts';
import { openaiPython } from './openai-python.ts';
import { type Served, type StartedServer, start } from './server.ts';

const suites: Record<string, (served: Served) => void> = {
  openai,
  'openai for Python': openaiPython,
  '@anthropic-ai/sdk': anthropic,
  ollama,
  'ai with @ai-sdk/openai-compatible': aiSdk,
  '@langchain/openai': langchain,
  'calls that must come': forcedCalls,
};

describe('clients', { skip, concurrency: true }, () => {
  const served: Served = { url: '' };
  let started: StartedServer | undefined;
  before(async () => {
    started = await start();
    served.url = started.server.url;
  });
  after(() => started?.stop());
  for (const [name, suite] of Object.entries(suites)) describe(name, { concurrency: true }, () => suite(served));
});
