import type { GrammarSymbol } from '../grammar.ts';
import { unsupported } from './budget.ts';
import type { Alternative, Compiling, Member } from './compiling.ts';
import type { ObjectForm } from './forms.ts';

interface Counting {
  readonly members: readonly Member[];
  /** A member of a name that the schema does not know. */
  readonly extra: GrammarSymbol | undefined;
  readonly form: ObjectForm;
  readonly compiler: Compiling;
  readonly path: string;
}

/** Rules for one object. */
const maxStates = 20_000;

/** The members of an object with `minProperties` or `maxProperties`, at least one: a rule knows how many there are so far. */
export function countedMembers(counting: Counting): GrammarSymbol | undefined {
  const { members, form, compiler, path } = counting;
  const { builder, punctuation } = compiler;
  const most = Math.min(form.max === Number.POSITIVE_INFINITY ? form.min : form.max, members.length);
  if (members.length * (most + 1) > maxStates) {
    throw unsupported(form.min > 0 ? 'minProperties' : 'maxProperties', path, 'there are too many members to count');
  }
  const known = new Map<string, GrammarSymbol | undefined>();
  const from = (at: number, count: number): GrammarSymbol | undefined => {
    const key = `${at},${count}`;
    if (!known.has(key)) known.set(key, state(at, count));
    return known.get(key);
  };
  const state = (at: number, count: number): GrammarSymbol | undefined => {
    if (at === members.length) return ending(counting, count);
    const { symbols, required } = members[at]!;
    const alternatives: Alternative[] = [];
    const counted = form.max === Number.POSITIVE_INFINITY ? Math.min(count + 1, Math.max(form.min, 1)) : count + 1;
    const next = count < form.max ? from(at + 1, counted) : undefined;
    if (next) alternatives.push([...(count > 0 ? [punctuation.comma] : []), ...symbols, next]);
    const without = required ? undefined : from(at + 1, count);
    if (without) alternatives.push([without]);
    return alternatives.length === 0 ? undefined : builder.rule('members', alternatives);
  };
  return from(0, 0);
}

/** Members of other names behind the known ones. */
function ending({ extra, form, compiler, path }: Counting, count: number): GrammarSymbol | undefined {
  const { builder, repeats, punctuation } = compiler;
  const missing = Math.max(form.min - count, count === 0 ? 1 : 0);
  const room = form.max - count;
  if (missing > room || (missing > 0 && !extra)) return undefined;
  if (!extra || room === 0) return builder.rule('end', [[]]);
  // A name may come twice and is then one member.
  if (missing > 1) throw unsupported('minProperties', path, 'a grammar cannot tell that names of free choice differ');
  const more = [punctuation.comma, extra];
  if (count > 0) return repeats.between(more, missing, room);
  return builder.rule('members', [[extra, repeats.between(more, 0, room - 1)]]);
}
