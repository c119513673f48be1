import { readInput } from '../plan/form.ts';
import type { StepKind } from '../plan/kind.ts';

/** One of the operator's tools is called; its answer is the output. */
export const tool: StepKind = {
  kind: 'tool',
  fields: ['input'],
  read(fields, reader) {
    const name = fields.text('tool', { required: true })?.value;
    const input = readInput(fields, reader);
    if (name === undefined) return undefined;
    reader.shared.uses.tools.add(name);
    return {
      target: name,
      check(names) {
        input.check(names);
        return true;
      },
      async run(context) {
        const given = input.value(context.values);
        return (await context.call((host, call) => host.callTool(name, given, call))) ?? null;
      },
    };
  },
};
