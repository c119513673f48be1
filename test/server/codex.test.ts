/**
 * OpenAI's coding agent finishes a turn that uses its shell, over HTTP and over WebSocket, against a model that follows a
 * script. Codex is 400 MB and not installed with the rest: CODEX names its program (`npm install @openai/codex`).
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { listen } from '../../src/server/node.ts';
import { defaultConfig } from '../../src/tenancy/config.ts';
import { scripted } from './scripted.ts';
import { callText, ToolModel } from './tool-model.ts';

const codex = process.env.CODEX;
const skip = codex === undefined && 'CODEX names no program';
const bodyBytes = 8 << 20;

async function serve() {
  const model: ToolModel = new ToolModel('scripted', {
    answer({ prompt }) {
      const last = JSON.parse(model.tokenizer.decode(prompt)).messages.at(-1);
      return last.role === 'tool' ? `It said: ${last.content}` : callText('exec_command', { cmd: 'echo $((6 * 7))' });
    },
    context: 1_000_000,
  });
  const limits = { ...defaultConfig().limits, bodyBytes };
  const { app } = scripted({ answer: () => '' }, { models: [model], limits });
  const listener = await listen(app, '127.0.0.1', 0, { messageBytes: bodyBytes });
  return { model, listener };
}

for (const sockets of [false, true]) {
  test(`codex exec calls a tool and reads its output over ${sockets ? 'WebSocket' : 'HTTP'}`, { skip }, async () => {
    const { model, listener } = await serve();
    const home = await mkdtemp(join(tmpdir(), 'codex-'));
    const provider = [
      'model = "scripted"',
      'model_provider = "realm"',
      '[model_providers.realm]',
      'name = "Realm"',
      `base_url = "http://127.0.0.1:${listener.port}/v1"`,
      'wire_api = "responses"',
      `supports_websockets = ${sockets}`,
    ];
    await writeFile(join(home, 'config.toml'), provider.join('\n'));
    try {
      const flags = ['--skip-git-repo-check', '--dangerously-bypass-approvals-and-sandbox'];
      const running = promisify(execFile)(codex!, ['exec', ...flags, 'Count'], {
        cwd: home,
        env: { ...process.env, CODEX_HOME: home },
        timeout: 100_000,
      });
      running.child.stdin!.end();
      const { stdout } = await running;
      assert.match(stdout, /It said: .*\b42\b/s);
      assert.equal(model.requests.length, 2);
    } finally {
      listener.destroy();
      await rm(home, { recursive: true, force: true });
    }
  });
}
