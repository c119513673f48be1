/** Claude Code finishes a turn that uses a tool. `REALM_CLAUDE_CODE` names its program: it is 380 MB, so it is no dependency. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import type { GenerateRequest } from '../../src/engine/request.ts';
import { listen } from '../../src/server/node.ts';
import { TextService } from '../../src/server/text/service.ts';
import type { Token } from '../../src/tokenizer/types.ts';
import { scripted } from './scripted.ts';
import { callText, ToolModel } from './tool-model.ts';

const program = process.env.REALM_CLAUDE_CODE;

/** Its prompts have all sorts of characters: a token is a byte. */
const toTokens = (text: string) => [...Buffer.from(text)] as Token[];

/** Reads the file as soon as it is told of a shell, and says the word that was in it. */
function answer({ prompt }: GenerateRequest): string {
  const text = Buffer.from(prompt).toString();
  const result = text.indexOf('"role":"tool"');
  if (result >= 0) return `The word is ${/swordfish/.exec(text.slice(result))?.[0] ?? 'not there'}`;
  return `Let me look. ${callText('Bash', { command: 'cat secret.txt', description: 'Read the file' })}`;
}

test('claude -p', { skip: program === undefined && 'REALM_CLAUDE_CODE is not set' }, async t => {
  const model = new ToolModel('scripted', { answer, context: 1_000_000, pause: async () => {} });
  Object.assign(model, {
    tokenizer: {
      ...model.tokenizer,
      encode: toTokens,
      // biome-ignore lint/correctness/useYield: it has no steps
      *encodeInSteps(text: string) {
        return toTokens(text);
      },
    },
  });
  const bodyBytes = 8 << 20;
  const { limits } = scripted({ answer: () => '' }).services;
  const text = new TextService({ bodyBytes });
  const { app } = scripted(
    { answer: () => '' },
    { models: [model], text, limits: { ...limits, bodyBytes, messages: 1024 } },
  );
  const listener = await listen(app, '127.0.0.1', 0);
  const folder = await mkdtemp(join(tmpdir(), 'claude-'));
  t.after(async () => {
    listener.destroy();
    await text.close();
    await rm(folder, { recursive: true, force: true });
  });
  await writeFile(join(folder, 'secret.txt'), 'the secret word is swordfish\n');
  const env = {
    PATH: process.env.PATH,
    HOME: folder,
    ANTHROPIC_BASE_URL: `http://127.0.0.1:${listener.port}`,
    ANTHROPIC_API_KEY: 'none',
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
  };
  const question = [
    '-p',
    'What is the secret word in secret.txt?',
    '--allowedTools',
    'Bash',
    '--output-format',
    'json',
  ];
  const running = promisify(execFile)(program!, question, { cwd: folder, env, timeout: 120_000 });
  running.child.stdin?.end();
  const { result, is_error, num_turns } = JSON.parse((await running).stdout);
  assert.deepEqual([result, is_error, num_turns], ['The word is swordfish', false, 2]);
});
