/** A server with pipelines and a model that answers from a script. */
import { loadPipeline } from '../../src/pipelines/load.ts';
import { PipelineBook, type PipelineBookOptions } from '../../src/server/pipelines/book.ts';
import { type Script, scripted } from './scripted.ts';

export const greet = `
pipeline: greet
description: Says hello.
input: { type: object, properties: { name: { type: string } }, required: [name] }
steps:
  - { id: hello, model: scripted, prompt: "Greet {{ input.name }}" }
output: hello
`;

/** Two steps at once, then one of both. */
export const join = `
pipeline: join
input: { type: object, properties: { a: { type: string }, b: { type: string } }, required: [a, b] }
steps:
  - { id: first, model: scripted, prompt: "{{ input.a }}" }
  - { id: second, model: scripted, prompt: "{{ input.b }}" }
  - { id: both, template: "{{ first }} & {{ second }}" }
output: '{"both": both}'
`;

export const each = `
pipeline: each
input: { type: array, items: { type: string } }
steps:
  - id: all
    map: { over: input, as: word, concurrency: 8 }
    steps: [{ id: one, model: scripted, prompt: "{{ word }}" }]
output: all
`;

export function bookOf(texts: readonly string[], options: PipelineBookOptions = {}): PipelineBook {
  const book = new PipelineBook(options);
  const served = texts.map(text => {
    const pipeline = loadPipeline(text, { file: 'test.yaml' });
    const rest = { created: 1_700_000_000, programs: new Map() };
    return [pipeline.name, { pipeline, file: 'test.yaml', text, ...rest }] as const;
  });
  book.set(new Map(served));
  return book;
}

/** Answers with the prompt's last word in capitals. */
export const echoing: Script = {
  answer: ({ prompt }) => {
    const text = String.fromCodePoint(...prompt.slice(1));
    return (/(\w+)\[assistant\]$/.exec(text)?.[1] ?? 'nothing').toUpperCase();
  },
};

export function piped(texts: readonly string[], script: Script = echoing, more: Parameters<typeof scripted>[1] = {}) {
  return scripted(script, { pipelines: bookOf(texts), ...more });
}
