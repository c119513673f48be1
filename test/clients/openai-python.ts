/** OpenAI's client for Python: `openai_client.py` has the tests. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { python } from './installed.ts';
import type { Served } from './server.ts';

const script = fileURLToPath(new URL('openai_client.py', import.meta.url));

export function openaiPython(served: Served): void {
  it('chat, streams, parse with pydantic, tools, responses, embeddings', async () => {
    const env = { ...process.env, OPENAI_BASE_URL: `${served.url}/v1`, OPENAI_API_KEY: 'none' };
    const { stderr } = await promisify(execFile)(python, ['-B', script], { env });
    assert.match(stderr, /^Ran 6 tests[\s\S]*^OK$/m);
  });
}
