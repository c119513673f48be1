import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { writeSynthetic } from '../../scripts/synthetic/model.ts';
import { listen } from '../../src/server/node.ts';
import { greet, piped } from '../server/pipelines.ts';
import { realm } from './realm.ts';

const asks =
  'pipeline: asks\nsteps:\n  - { id: it, model: big, completion: "Hi", max_tokens: 3 }\noutput: "{\\"said\\": it}"\n';
const wrong =
  'pipeline: wrong\nsteps:\n  - { id: it, template: "{{ who }}" }\n  - { id: other, tmplate: x }\noutput: it\n';

describe('realm pipeline', () => {
  let folder: string;
  const at = (name: string) => join(folder, name);
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'realm-pipeline-'));
    await mkdir(at('good'));
    await writeFile(at('good/asks.yaml'), asks);
    await writeFile(at('good/greet.yaml'), greet);
    await writeFile(at('wrong.yaml'), wrong);
    await writeFile(
      at('realm.yaml'),
      'models: [{ id: big, path: model.gguf, context: 256 }]\npipelines: [good/asks.yaml]\n',
    );
    writeSynthetic(at('model.gguf'), { with: { width: 64, heads: 4, kvHeads: 2, ffn: 96, vocab: 400, layers: 1 } });
  });
  after(() => rm(folder, { recursive: true }));

  it('checks files without a server, and names every mistake with its place', async () => {
    const good = await realm(['pipeline', 'check', at('good')]);
    assert.equal(good.code, 0, good.stderr);
    assert.match(
      good.stdout,
      /asks\.yaml: asks, 1 step; models: big\n.*greet\.yaml: greet, 1 step; models: scripted\n/,
    );
    const bad = await realm(['pipeline', 'check', at('wrong.yaml'), at('good')]);
    assert.equal(bad.code, 1);
    assert.match(bad.stderr, /realm: pipeline_invalid: .*\n.*wrong\.yaml:3:\d+: .*who.*\n.*wrong\.yaml:4:\d+: /);
    const unknown = await realm(['pipeline', 'check', at('good'), '--config', at('realm.yaml')]);
    assert.match(unknown.stderr, /greet\.yaml:6: there is no model 'scripted'/);
  });

  it('runs a file on this machine, with one model for all that it names', async () => {
    const args = ['pipeline', 'run', at('good/asks.yaml'), '--model', at('model.gguf'), '--input', 'null'];
    const { code, stdout, stderr } = await realm(args);
    assert.equal(code, 0, stderr);
    assert.equal(typeof JSON.parse(stdout).said, 'string');
    assert.match(stderr, /\] it: finished$/m);
  });

  it('runs one of realm.yaml, and lists those', async () => {
    const list = await realm(['pipeline', 'list', '--config', at('realm.yaml'), '--json']);
    assert.deepEqual(
      JSON.parse(list.stdout).map(({ id }: { id: string }) => id),
      ['asks'],
      list.stderr,
    );
    const args = ['pipeline', 'run', 'asks', '--config', at('realm.yaml'), '--json'];
    const { code, stdout, stderr } = await realm(args, { input: 'null' });
    assert.equal(code, 0, stderr);
    const { pipeline, steps, usage } = JSON.parse(stdout);
    assert.deepEqual([pipeline, steps[0].target, usage.completion_tokens], ['asks', 'big', 3]);
  });

  it('asks a server', async () => {
    const listener = await listen(piped([greet]).app, '127.0.0.1', 0);
    const url = `http://127.0.0.1:${listener.port}`;
    try {
      const list = await realm(['pipeline', 'list', '--url', url]);
      assert.match(list.stdout, /^greet\s+Says hello\.$/m, list.stderr);
      const run = await realm(['pipeline', 'run', 'greet', '--url', url, '--input', '{"name": "bob"}']);
      assert.equal(run.stdout, 'BOB\n', run.stderr);
      const refused = await realm(['pipeline', 'run', 'greet', '--url', url, '--input', '{"name": 1}']);
      assert.deepEqual([refused.code, refused.stdout], [1, '']);
      assert.match(refused.stderr, /^realm: invalid_request: input\.name: /m);
    } finally {
      listener.destroy();
    }
  });

  it('says what is missing', async () => {
    for (const [args, said] of [
      [['list'], /Say --config or --url/],
      [['run', 'nothing', '--input', '1'], /There is no file nothing/],
      [['run', 'x', '--input', 'text'], /--input must be JSON/],
    ] as const) {
      const { code, stderr } = await realm(['pipeline', ...args]);
      assert.equal(code, 1);
      assert.match(stderr, said);
    }
  });
});
