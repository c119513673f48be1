import type { Expression } from '../cel/expression.ts';
import type { Fields } from '../document/fields.ts';
import type { StepKind } from '../plan/kind.ts';
import type { StepReader } from '../plan/reader.ts';
import { orNull, union } from '../schema/parts.ts';

interface Way {
  /** Absent: whatever comes. */
  readonly when?: Expression | undefined;
  readonly use: Expression;
}

/** The first of several values whose `when` is true; null where none is. */
export const branch: StepKind = {
  kind: 'branch',
  fields: [],
  read(fields, reader) {
    const list = fields.list('branch');
    const ways = list.flatMap((each, i) => readWay(each, i === list.length - 1, reader) ?? []);
    if (list.length === 0) fields.wrong(fields.at('branch'), "'branch' needs at least one way");
    const { types } = reader.shared;
    return {
      check(names) {
        for (const { when } of ways) when?.check(names, types, 'bool');
        const made = union(ways.map(({ use }) => use.check(names, types)));
        return ways.some(({ when }) => !when) ? made : orNull(made);
      },
      async run({ values }) {
        const taken = ways.find(({ when }) => !when || when.test(values.cel));
        return taken ? taken.use.evaluate(values.cel) : null;
      },
    };
  },
};

function readWay(fields: Fields, isLast: boolean, reader: StepReader): Way | undefined {
  fields.only(['when', 'use', 'else'], 'a way of a branch');
  const isElse = fields.has('else');
  if (isElse && (fields.has('when') || fields.has('use'))) fields.wrong(fields.at('else'), "'else' stands alone");
  if (isElse && !isLast) fields.wrong(fields.at('else'), "'else' must be the last way: none behind it is ever taken");
  const when = isElse ? undefined : fields.text('when', { required: true });
  const use = fields.text(isElse ? 'else' : 'use', { required: true });
  return use && { when: when && reader.expression(when), use: reader.expression(use) };
}
