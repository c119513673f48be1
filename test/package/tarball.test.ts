/** What `npm pack` gives, installed in an empty folder: the command, the library, and its types. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';

const run = promisify(execFile);
const model = resolve('../shared/models/SmolLM2-135M-Instruct.Q4_1.gguf');
const tsc = resolve('node_modules/.bin/tsc');

let folder: string;
/** What npm runs finds the folder's own programs first, as on anybody's machine. */
const env = () => ({ ...process.env, NODE_COMPILE_CACHE: '', PATH: `${folder}/node_modules/.bin:${process.env.PATH}` });
const inFolder = (command: string, ...args: string[]) => run(command, args, { cwd: folder, env: env() });

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'realm-package-'));
  await writeFile(join(folder, 'package.json'), '{ "name": "consumer", "type": "module", "private": true }');
  const { stdout } = await run('npm', ['pack', '--silent', '--pack-destination', folder]);
  const tarball = stdout.trim().split('\n').at(-1)!;
  await inFolder('npm', 'install', `./${tarball}`, '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline');
});
after(() => rm(folder, { recursive: true, force: true }));

describe('the package', () => {
  it('has a command', async () => {
    const options = ['--model', model, '--temperature', '0', '--max-tokens', '8', '--threads', '1'];
    const { stdout } = await inFolder('npx', 'realm', 'run', ...options, 'What is the capital of France?');
    assert.match(stdout, /Paris/);
  });

  it('has a command that ends as its server does', async () => {
    const options = ['serve', '--model', model, '--port', '0', '--threads', '1'];
    const child = spawn(join(folder, 'node_modules/.bin/realm'), options, { cwd: folder, env: env() });
    const ended = once(child, 'exit');
    let said = '';
    for await (const text of child.stdout.setEncoding('utf8')) {
      said += text;
      if (/Serving http/.test(said)) break;
    }
    const [url] = /http:\/\/[\d.:]+/.exec(said)!;
    assert.equal((await fetch(`${url}/health`)).status, 200);
    const page = await fetch(url, { headers: { accept: 'text/html' } });
    assert.match(await page.text(), /src="\/page\/main-\w+\.js"/);
    const library = await fetch(`${url}/local/browser.js`);
    assert.match(await library.text(), /"\.\/browser-worker\.js"/);
    child.kill('SIGTERM');
    assert.deepEqual(await ended, [0, null]);
    await assert.rejects(fetch(`${url}/health`));
  });

  it('is imported', async () => {
    await writeFile(
      join(folder, 'chat.js'),
      `import { loadModel } from '@realm-llm/realm';
       await using model = await loadModel(${JSON.stringify(model)}, { threads: 1, context: 256 });
       let streamed = '';
       const answer = model.chat('What is the capital of France?', { temperature: 0, maxTokens: 8 });
       for await (const { text } of answer) streamed += text;
       console.log(JSON.stringify([streamed, await answer]));`,
    );
    const { stdout } = await inFolder('node', 'chat.js');
    const [streamed, answer] = JSON.parse(stdout);
    assert.match(streamed, /Paris/);
    assert.equal(answer.text, streamed);
    assert.equal(answer.finishReason, 'stop');
  });

  it('serves, with the programs of tenants', async () => {
    await writeFile(
      join(folder, 'serve.js'),
      `import { serve } from '@realm-llm/realm';
       const models = [{ id: 'small', path: ${JSON.stringify(model)}, context: 256 }];
       await using server = await serve({ server: { port: 0 }, models }, { threads: 1 });
       const body = { model: 'small', max_tokens: 8, temperature: 0, messages: [{ role: 'user', content: 'What is the capital of France?' }] };
       const response = await fetch(server.url + '/v1/chat/completions', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
       console.log(await response.text());`,
    );
    const { stdout } = await inFolder('node', 'serve.js');
    assert.match(JSON.parse(stdout).choices[0].message.content, /Paris/);
  });

  it('is bundled for a page, of which Node is no part', async () => {
    await writeFile(
      join(folder, 'page.js'),
      `import { loadModel } from '@realm-llm/realm';
       picker.onchange = async () => console.log(await (await loadModel(picker.files[0])).chat('Hello'));`,
    );
    const options = ['--bundle', '--platform=browser', '--format=esm', '--outfile=bundled.js', '--log-level=warning'];
    const { stderr } = await inFolder(resolve('node_modules/.bin/esbuild'), 'page.js', ...options);
    assert.equal(stderr, '');
    const bundled = await readFile(join(folder, 'bundled.js'), 'utf8');
    assert.doesNotMatch(bundled, /from ?['"](node:|#)/);
    // What bundlers look for, and nothing else that they would take for it: the files of threads, which stand alone.
    const files = bundled.match(/new URL\("\.[^)]*\)/g)?.sort();
    const workers = ['browser-worker', 'guest-worker'].map(name => `new URL("./${name}.js", import.meta.url)`);
    assert.deepEqual(files, workers);
    const worker = await readFile(join(folder, 'node_modules/@realm-llm/realm/dist/browser-worker.js'), 'utf8');
    assert.equal(/from ?['"][.#]|from ?['"]node:|new URL\("\./.exec(worker)?.[0], undefined);
    // The page that measures is beside them.
    assert.match(
      await readFile(join(folder, 'node_modules/@realm-llm/realm/dist/bench.html'), 'utf8'),
      /\.\/bench\.js/,
    );
  });

  it('has types that a strict page passes', async () => {
    await writeFile(
      join(folder, 'page.ts'),
      `import { features, loadModel, type PageOptions } from '@realm-llm/realm';
       const options: PageOptions = { context: 512 };
       await using model = await loadModel(new Blob([new Uint8Array(8)]), options);
       const { text }: { readonly text: string } = await model.chat('Hello', { maxTokens: 3 });
       await loadModel(new URL('https://example.com/' + text), { threads: features().sharedMemory ? 2 : 1, worker: false });
       // @ts-expect-error a page has no folders
       await loadModel(new Blob([]), { sessions: 'folder' });`,
    );
    const bundler = { module: 'esnext', moduleResolution: 'bundler', customConditions: ['browser'] };
    assert.equal(await typeErrors('page.ts', bundler), '');
  });

  it('has types that a strict program passes', async () => {
    await writeFile(
      join(folder, 'typed.ts'),
      `import { loadModel, RealmError, type Answer, type ErrorCode, type Chunk } from '@realm-llm/realm';
       await using model = await loadModel('smollm2-135m', { context: 512, signal: AbortSignal.timeout(1000) });
       const generation = model.chat([{ role: 'user', content: 'Hello' }], { maxTokens: 3, stop: ['.'], logprobs: 2 });
       for await (const chunk of generation) ((piece: Chunk): string => piece.text)(chunk);
       const answer: Answer = await generation;
       const one: Float32Array = await model.embed(answer.text);
       const many: Float32Array[] = await model.embed(['a', 'b']);
       const code: ErrorCode = new RealmError('usage', String(one.length + many.length)).code;
       // @ts-expect-error there is no such option
       model.generate(code, { maxToken: 3 });`,
    );
    assert.equal(await typeErrors('typed.ts', { module: 'nodenext' }), '');
  });
});

async function typeErrors(file: string, options: object): Promise<string> {
  const strict = { target: 'esnext', lib: ['esnext', 'dom'], types: [], strict: true, noEmit: true };
  await writeFile(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: { ...strict, ...options }, files: [file] }),
  );
  const { stdout } = await inFolder(process.execPath, tsc).catch(error => error);
  return stdout;
}
