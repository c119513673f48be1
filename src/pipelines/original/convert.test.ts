import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadPipeline } from '../load.ts';
import { runPipeline } from '../run.ts';
import { promptOf, scriptedHost } from '../testing/scripted-host.ts';

const document = `id: review-text
name: Review
description: Sums up a text and judges it.
inputs:
  text: { type: string, description: What is read, required: true }
  tone: { type: string, default: kind }
steps:
  - id: sum-up
    name: Sum up
    model: small
    input: { template: 'Sum up {"as": "JSON"}, {% tone %}: {{text}}' }
    output: summary
  - id: judge
    model_type: judge-model
    input: { template: "Judge {summary} with {{ inputs.tone }} words" }
    output: verdict
  - { id: echo, model: small, input: steps.judge.output }
  - { id: fixed, model: small, input: { value: "{{ not a template }}" } }
outputs:
  verdict: verdict
  summary: sum-up
  both: { ref: echo }
  fixed: fixed
`;
const load = (text: string) => loadPipeline(text, { file: 'o.yaml' });
const echo = scriptedHost({ model: request => `<${promptOf(request)}>` });

describe('pipelines of the original format', () => {
  it('load and run, as YAML and as JSON', async () => {
    const pipeline = load(document);
    assert.equal(pipeline.name, 'review-text');
    assert.deepEqual(pipeline.uses.models, ['small', 'judge-model']);
    const output = await runPipeline(pipeline, { text: 'T {{ x }}' }, echo);
    const summary = '<Sum up {"as": "JSON"}, {% tone %}: T {{ x }}>';
    const verdict = `<Judge ${summary} with kind words>`;
    assert.deepEqual(output, { verdict, summary, both: `<${verdict}>`, fixed: '<{{ not a template }}>' });
    const json = JSON.stringify({
      id: 'j',
      inputs: { q: { type: 'integer', required: true } },
      steps: [{ id: 'a', model: 'm', input: 'q', output: 'r' }],
      outputs: ['r'],
    });
    assert.deepEqual(await runPipeline(load(json), { q: 3 }, echo), { r: '<3>' });
    await assert.rejects(runPipeline(load(json), { q: 'x' }, echo), { code: 'invalid_request', param: 'input.q' });
  });

  it('give the last step’s output where they say nothing of outputs', async () => {
    const text = 'id: o\nsteps:\n  - { id: a, model: m, input: { value: x } }\n  - { id: b, model: m, input: a }';
    assert.equal(await runPipeline(load(text), {}, echo), '<<x>>');
  });

  it('are told of mistakes at their own places', () => {
    const text = document
      .replace('steps.judge.output', 'steps.jugde.output')
      .replace('{{text}}', '{{txet}}')
      .replace('tone: { type: string', 'tone: { type: strign');
    assert.throws(
      () => load(text),
      (error: Error) => {
        assert.deepEqual(error.message.split('\n'), [
          "o.yaml:6:9: there is no type 'strign'; did you mean 'string'?",
          "o.yaml:11:62: there is no 'txet' here; did you mean 'text'?",
          "o.yaml:17:38: there is no 'steps.jugde.output' here; there are text, tone, sum-up, summary, judge, verdict",
        ]);
        return true;
      },
    );
    assert.throws(
      () => load('id: o\nsteps:\n  - { id: a, modell: m, input: q }'),
      /o\.yaml:3:14: a step of the original format has no 'modell'; did you mean 'model'\?/,
    );
  });
});
