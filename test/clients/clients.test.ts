/**
 * The programs that people use, on real models: what they ask for is answered, and what they get fits its schema. Many
 * at once: the server batches them.
 */
import { after, before, describe, it } from 'node:test';
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

// A suite that is left out is not counted, a test is.
if (skip) it('clients', { skip });
else describe('clients', { concurrency: true }, clients);

function clients(): void {
  const served: Served = { url: '' };
  let started: StartedServer | undefined;
  before(async () => {
    started = await start();
    served.url = started.server.url;
  });
  after(() => started?.stop());
  for (const [name, suite] of Object.entries(suites)) describe(name, { concurrency: 4 }, () => suite(served));
}
