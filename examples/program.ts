/**
 * Gives a tenant a program of its own, written in AssemblyScript and compiled here to WebAssembly: it sees every token
 * on its way out, and this one writes them in upper case. docs/program-abi.md says what programs may call.
 */
import { createHash } from 'node:crypto';
import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compileProgram } from '../guest/build.ts';
import { serve } from '../src/index.ts';

await using folder = await mkdtempDisposable(join(tmpdir(), 'realm-example-'));
const program = join(folder.path, 'shout.wasm');
await writeFile(program, await compileProgram('shout')); // guest/assembly/shout.ts

const key = 'a-key-for-loud';
const hash = `sha256:${createHash('sha256').update(key).digest('hex')}`;
await using server = await serve({
  server: { port: 0 },
  models: [{ id: 'small', catalog: 'smollm2-135m' }],
  tenants: [{ id: 'loud', keys: [hash], program, memory_mb: 16 }],
});

const response = await fetch(`${server.url}/v1/chat/completions`, {
  method: 'POST',
  headers: { authorization: `Bearer ${key}` },
  body: JSON.stringify({ model: 'small', messages: [{ role: 'user', content: 'What is the capital of France?' }] }),
});
console.log((await response.json()).choices[0].message.content);
