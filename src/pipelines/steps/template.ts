import type { StepKind } from '../plan/kind.ts';

/** A text with values in it. */
export const template: StepKind = {
  kind: 'template',
  fields: [],
  read(fields, reader) {
    const text = fields.text('template', { required: true });
    const made = text && reader.template(text);
    if (!made) return undefined;
    return {
      check(names) {
        made.check(names);
        return { type: 'string' };
      },
      run: async context => made.render(context.values.jinja),
    };
  },
};
