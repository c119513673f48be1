/** The tutorials of docs/programs.md and docs/pipelines.md, as they stand there: their files are written, their commands run. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { freePort } from '../support/free-port.ts';
import { realmPath } from './realm.ts';

const models = process.env.REALM_TEST_MODELS ?? fileURLToPath(new URL('../../../shared/models', import.meta.url));
const noModel = !existsSync(join(models, 'SmolLM2-135M-Instruct.Q4_1.gguf')) && 'the model is not there';

/** The part of a page under a heading, with the smaller headings in it. */
function section(page: string, heading: string): string {
  const text = readFileSync(new URL(`../../docs/${page}`, import.meta.url), 'utf8');
  const level = /^#+/.exec(heading)![0];
  const [, part] = text.split(`\n${heading}\n`);
  assert.ok(part !== undefined, `${page} has no ${heading}`);
  return part.split(new RegExp(`\n#{2,${level.length}} `))[0]!;
}

/** One script of all commands, with the files between them; a block that begins a server ends with its being ready. */
function scriptOf(text: string, files: Readonly<Record<string, string>>, port: number): string {
  const blocks = [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(
    ([, language, body]) => [language!, body!] as const,
  );
  const parts = blocks.map(([language, body]) => {
    if (language === 'sh')
      return body.replace(/^realm serve.*$/m, line => `${line} --port 8080 > serve.log & ${ready}`);
    const file = /^(?:#|\/\/) (\S+\.\w+)$/m.exec(body.split('\n', 1)[0]!)?.[1] ?? files[language];
    return file === undefined ? '' : `cat > ${file} <<'END OF FILE'\n${body}END OF FILE\n`;
  });
  return parts.join('\n').replaceAll('8080', `${port}`);
}

const ready = `server=$!
trap 'kill $server; wait $server' EXIT
until curl -sf http://127.0.0.1:8080/ready > answer; do kill -0 $server; sleep 0.2; done`;

/** Runs it in an empty folder; what it has printed on both. */
async function runScript(script: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'realm-tutorial-'));
  // The compiler of the checkout does; nothing is fetched.
  const npm = 'npm() { :; }\n';
  const env = {
    ...process.env,
    PATH: `${dirname(realmPath)}:${dirname(process.execPath)}:${process.env.PATH}`,
    REALM_TEST_MODELS: models,
  };
  try {
    const child = spawn('bash', ['-euo', 'pipefail', '-c', npm + script], { cwd: folder, env });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    const code = await new Promise(resolve => child.on('close', resolve));
    assert.equal(code, 0, output);
    return output;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const fifteenMinutes = section('programs.md', '## A program in fifteen minutes');
/** Without those in other languages. */
const inAssembly = fifteenMinutes.split('\n### In Rust\n')[0]!;

test('the program that the page shows first is what `program new` writes', () => {
  const [, shown] = /^```ts\n(.*?)^```$/ms.exec(inAssembly)!;
  assert.equal(shown, readFileSync(new URL('../../guest/new/assembly/program.ts', import.meta.url), 'utf8'));
});

test('a program in fifteen minutes, from an empty folder to a server', { skip: noModel }, async () => {
  const output = await runScript(scriptOf(inAssembly, { ts: 'program.ts' }, await freePort()));
  assert.match(
    output,
    /shorter\.wasm would be let in\.[\s\S]*sample run +\d+ fuel, [\d.]+ kB of memory, with 1 request/,
  );
  assert.match(output, /1 call of the model, 20 tokens in .*, \d+ fuel/);
  assert.match(output, /info: \d+ and \d+ characters\n[\s\S]*2 calls of the model, 23 tokens in /);
  assert.match(output, /^(question|complaint|praise)\n2 calls of the model/m);
  assert.match(output, /shorter@1 answers now\.[\s\S]*"content":"(question|complaint|praise)"/);
});

for (const [heading, files, words] of [
  ['### In Rust', { rust: 'src/lib.rs' }, 'shorter-rust'],
  ['### In C', { c: 'program.c' }, 'shorter-c'],
] as const) {
  test(`the same ${heading.slice(4)}`, { skip: noModel }, async t => {
    const script = scriptOf(section('programs.md', heading), files, 0);
    const output = await runScript(script).catch(error => {
      const [missing] = /^realm: usage: .* missing.*$/m.exec(error.message) ?? [];
      if (missing === undefined) throw error;
      t.skip(missing);
    });
    if (output === undefined) return;
    assert.match(
      output,
      new RegExp(`${words}\\.wasm would be let in\\.[\\s\\S]*sample run +\\d+ fuel.* with 2 requests`),
    );
    assert.match(output, /2 calls of the model, 23 tokens in /);
  });
}

test('a pipeline in five minutes', { skip: noModel }, async () => {
  const output = await runScript(
    scriptOf(section('pipelines.md', '## A pipeline in five minutes'), {}, await freePort()),
  );
  assert.match(output, /sort\.yaml: sort, 2 steps; models: smollm2-135m\n/);
  assert.match(output, /\] kind: finished\n.*\] reply: finished\n\{\n {2}"kind": "\w+",\n {2}"reply": "/);
  assert.match(
    output,
    /inbox\.yaml: inbox, 1 step; tools: sorter\n[\s\S]*\] each\[1\]\.sorted: finished\n[\s\S]*\] each: finished/,
  );
  assert.match(output, /"object":"pipeline\.run","pipeline":"sort","output":\{"kind":/);
  assert.match(output, /event: result\n/);
  assert.match(output, /"model":"pipeline\/sort".*"content":"\{\\"kind/);
  assert.match(output, /"object":"list","data":\[\{"id":"run_/);
  assert.match(output, /kind: .*\n[\s\S]*\{ kind: '\w+', reply: /);
});
