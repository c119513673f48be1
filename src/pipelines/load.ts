import { CelTypes } from './cel/types.ts';
import { Fields } from './document/fields.ts';
import { parse } from './document/parse.ts';
import { pipelineLimits } from './limits.ts';
import { convert, isOriginal } from './original/convert.ts';
import { readForm } from './plan/form.ts';
import { StepList } from './plan/list.ts';
import type { Shared } from './plan/reader.ts';
import { readSchema } from './schema/read.ts';
import { anything } from './schema/validator.ts';
import type { Pipeline } from './types.ts';

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/**
 * The pipeline of a document, YAML or JSON. Throws `pipeline_invalid` whose message has a line `file:line:column: what
 * is wrong` for each mistake.
 */
export function loadPipeline(text: string, { file }: { file: string }): Pipeline {
  const { root, source, mistakes } = parse(text, file);
  const written = new Fields(root, source, mistakes);
  const fields = isOriginal(written) ? new Fields(convert(written), source, mistakes) : written;
  // What was converted has places, but not the author's words.
  if (fields !== written) mistakes.check();
  fields.only(['pipeline', 'description', 'input', 'steps', 'output', 'timeout_ms'], 'a pipeline');
  const name = readPipelineName(fields);
  const node = fields.get('input');
  const input = (node && readSchema(node, mistakes)) ?? anything;
  const uses = { models: new Set<string>(), programs: new Set<string>(), tools: new Set<string>() };
  const shared: Shared = { source, mistakes, types: new CelTypes(), uses, places: new Map(), steps: 0 };
  const steps = new StepList(fields, 'steps', shared, ['input']);
  const output = readForm(fields.get('output') ?? null, steps.behind);
  if (!fields.has('output')) fields.wrong(fields.at('output'), "'output' is missing");
  steps.resolve();
  const known = steps.check(new Map([['input', input.schema]]));
  const made = output.check(known);
  const timeoutMs = fields.number('timeout_ms', { min: 1, max: pipelineLimits.timeout });
  const description = fields.text('description')?.value;
  mistakes.check();
  return {
    name,
    description,
    input: input.schema,
    steps: steps.planned,
    output: made,
    outputStep: steps.planned.find(({ id }) => id === fields.json('output'))?.id,
    uses: { models: [...uses.models], programs: [...uses.programs], tools: [...uses.tools] },
    plan: { input, steps: steps.planned, output, timeoutMs },
  };
}

function readPipelineName(fields: Fields): string {
  const text = fields.text('pipeline', { required: true });
  if (text && !namePattern.test(text.value)) {
    fields.wrong(text.at(0), `'${text.value}' is no name: letters, digits, '.', '_' and '-', 64 at most`);
  }
  return text?.value ?? '';
}
