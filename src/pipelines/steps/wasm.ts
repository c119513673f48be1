import { readInput } from '../plan/form.ts';
import type { StepKind } from '../plan/kind.ts';
import { decodingOf } from '../schema/decoding.ts';
import { readText } from './answers.ts';

/** A tenant's program is run; its text is the output, or JSON where the output is no plain text. */
export const wasm: StepKind = {
  kind: 'wasm',
  fields: ['input'],
  read(fields, reader) {
    const name = fields.text('wasm', { required: true })?.value;
    const input = readInput(fields, reader);
    if (name === undefined) return undefined;
    reader.shared.uses.programs.add(name);
    const decoding = decodingOf(reader.schema(fields, 'output')?.schema ?? { type: 'string' });
    return {
      target: name,
      check(names) {
        input.check(names);
        return fields.has('output') ? true : { type: 'string' };
      },
      async run(context) {
        const given = input.value(context.values);
        return readText(await context.call((host, call) => host.runProgram(name, given, call)), decoding);
      },
    };
  },
};
