/** The pipelines of examples/pipelines, each on a host whose answers are written down. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { RealmError } from '../../src/errors.ts';
import { loadPipeline } from '../../src/pipelines/load.ts';
import { runPipeline } from '../../src/pipelines/run.ts';
import { promptOf, type Script, scriptedHost } from '../../src/pipelines/testing/scripted-host.ts';

const load = (file: string) => loadPipeline(readFileSync(file, 'utf8'), { file });
const run = async (name: string, input: unknown, script: Script) =>
  await runPipeline(load(`examples/pipelines/${name}.yaml`), input, scriptedHost(script));

describe('examples of pipelines', () => {
  const files = globSync('examples/pipelines/*.yaml');

  it('are six, named like their files, with a description', () => {
    assert.equal(files.length, 6);
    for (const file of files) {
      const { name, description } = load(file);
      assert.ok(file.endsWith(`${name}.yaml`));
      assert.ok(description);
    }
  });

  it('are read in docs/pipelines.md too', () => {
    const page = readFileSync('docs/pipelines.md', 'utf8');
    const blocks = [...page.matchAll(/```yaml\n((?:pipeline|id): [\s\S]*?)```/g)];
    assert.equal(blocks.length, 2);
    for (const [, text] of blocks) loadPipeline(text!, { file: 'docs/pipelines.md' });
  });

  it('triage: answers each part of a bug, and leaves out what fails', async () => {
    const script: Script = {
      model(request) {
        if (request.model === 'small') return promptOf(request).includes('crash') ? 'bug' : 'question';
        if (promptOf(request).includes('second')) throw new RealmError('engine_failed', 'gone');
        return `fix of ${promptOf(request)}`;
      },
      program: (name, input) => (name === 'split.wasm' ? String(input).split('; ') : assert.fail()),
    };
    const answers = await run('triage', { ticket: 'crash here; second; third' }, script);
    assert.equal(answers, 'fix of Propose a fix for: crash here\nfix of Propose a fix for: third');
    assert.equal(await run('triage', { ticket: 'how do I?' }, script), 'question');
  });

  it('summarize: sums up the parts, then the summaries', async () => {
    const prompts: string[] = [];
    const output = await run(
      'summarize',
      { text: 'One.\n\nTwo.\n\n \n\nThree.' },
      {
        model(request) {
          prompts.push(promptOf(request));
          return request.model === 'small' ? promptOf(request).toUpperCase() : 'All.';
        },
      },
    );
    assert.deepEqual(output, { summary: 'All.', parts: 4 });
    assert.match(prompts.at(-1)!, /at most 3 sentences[\s\S]*- ONE\.\n- TWO\.\n- THREE\.\n/);
  });

  it('extract: reads again what was wrong', async () => {
    const right = { number: 'A1', total: 12.5, date: '2026-01-02' };
    let tries = 0;
    const script = (wrong: string[], second: unknown): Script => ({
      model({ model, constraint }) {
        if (model === 'small') return ++tries % 2 === 1 ? '{"number": "A' : { ...right, total: 13 };
        const schema = constraint?.kind === 'json_schema' ? constraint.schema : '';
        return schema.includes('"array"') ? wrong : second;
      },
    });
    const fixed = await run('extract', { invoice: 'x' }, script(['total'], right));
    assert.deepEqual(fixed, { invoice: right, doubts: ['total'] });
    assert.equal(tries, 2);
    const fine = await run('extract', { invoice: 'x' }, script([], 'never asked'));
    assert.deepEqual(fine, { invoice: { ...right, total: 13 }, doubts: [] });
    const broken = await run('extract', { invoice: 'x' }, script(['date'], 'no JSON'));
    assert.deepEqual(broken, { invoice: { ...right, total: 13 }, doubts: ['date'] });
  });

  it('translate: keeps the better of two', async () => {
    const script = (small: string, big: string): Script => ({
      model({ model, constraint }) {
        if (constraint) return 'B';
        return model === 'small' ? small : big;
      },
    });
    const judged = await run('translate', { text: 'Hello' }, script('Salut', 'Bonjour'));
    assert.deepEqual(judged, { translation: 'Bonjour', agreed: false });
    assert.deepEqual(await run('translate', { text: 'Hi' }, script('Salut', 'Salut')), {
      translation: 'Salut',
      agreed: true,
    });
  });

  it('lookup: answers with what a tool found', async () => {
    const asked: unknown[] = [];
    const output = await run(
      'lookup',
      { question: 'Q?' },
      {
        model: request => (request.model === 'small' ? ['a', 'b', 'c'] : promptOf(request)),
        tool(name, input) {
          asked.push([name, input]);
          const { query } = input as { query: string };
          if (query === 'b') throw new RealmError('tool_failed', 'no');
          return [{ title: `T${query}`, text: `text of ${query}` }];
        },
      },
    );
    const { answer, sources } = output as { answer: string; sources: number[] };
    assert.match(answer, /Ta: text of a\n[\s\S]*Tc: text of c\n[\s\S]*Q\?$/);
    assert.deepEqual(sources, [1, 1]);
    assert.equal(asked.length, 5, 'the one that fails is tried three times');
    assert.deepEqual(asked[0], ['search', { query: 'a', limit: 3 }]);
  });

  it('reply: a model never sees a name', async () => {
    const seen: string[] = [];
    const output = await run(
      'reply',
      { letter: 'I am Ada.' },
      {
        model(request) {
          seen.push(promptOf(request));
          return 'Dear [1]!';
        },
        program(_, input) {
          const { do: what, text, names } = input as { do: string; text: string; names?: Record<string, string> };
          if (what === 'hide') return { text: text.replace('Ada', '[1]'), names: { '[1]': 'Ada' } };
          return text.replace('[1]', names!['[1]']!);
        },
      },
    );
    assert.equal(output, 'Dear Ada!');
    assert.ok(seen.length === 1 && !seen[0]!.includes('Ada'));
  });
});
