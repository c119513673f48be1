import assert from 'node:assert/strict';
import { RealmError } from '../../errors.ts';
import { loadPipeline } from '../load.ts';

/** What is wrong with a document, a line each, without the file's name. */
export function mistakesIn(text: string): string[] {
  try {
    loadPipeline(text, { file: 'p.yaml' });
  } catch (error) {
    assert.ok(error instanceof RealmError, String((error as Error).stack));
    assert.equal(error.code, 'pipeline_invalid');
    return error.message.split('\n').map(line => line.replace(/^p\.yaml:/, ''));
  }
  return [];
}

/** A document with these steps. */
export function withSteps(steps: string, output = 'a', more = ''): string {
  return `pipeline: p\n${more}steps:\n${steps.replace(/^/gm, '  ')}\noutput: ${output}\n`;
}

/** The example of docs/pipelines.md. */
export const triage = `pipeline: triage
input: { type: object, properties: { ticket: { type: string } }, required: [ticket] }
steps:
  - id: kind
    model: small
    prompt: "Classify: {{ input.ticket }}"
    output: { enum: [bug, question] }      # constrains decoding
    retry: { on: [constraint_dead_end], max: 2 }
    timeout_ms: 20000
  - id: parts
    when: kind == "bug"                    # CEL
    wasm: split.wasm
    output: { type: array, maxItems: 16, items: { type: string } }
  - id: each
    map: { over: parts, as: part, concurrency: 4, on_error: skip }
    steps: [{ id: fix, model: big, prompt: "{{ part }}", output: { type: string } }]
  - id: route
    branch: [{ when: each != null, use: each }, { else: kind }]
output: route
`;
