import type { GrammarSymbol } from '../grammar.ts';
import { unsupported } from './budget.ts';
import type { Alternative, Compiling } from './compiling.ts';
import type { ArrayForm, SchemaNode } from './forms.ts';

/** Rules for one array. */
const maxStates = 500;

/**
 * Arrays with `contains`: a rule knows how many items there are so far and which demands are still to be met. An item that
 * meets some of them may be read as one that meets none, so nothing needs to be told apart.
 */
export function containingItems(form: ArrayForm, compiler: Compiling, path: string): readonly Alternative[] {
  const { builder, nodes, punctuation } = compiler;
  const counted = form.max === Number.POSITIVE_INFINITY ? Math.max(form.min, form.prefix.length, 1) : form.max;
  if ((counted + 1) << form.contains.length > maxStates)
    throw unsupported('contains', path, 'there are too many items to count');
  const known = new Map<string, GrammarSymbol | undefined>();
  const from = (at: number, demands: readonly SchemaNode[]): GrammarSymbol | undefined => {
    const key = [at, ...demands.map(({ key }) => key)].join();
    if (!known.has(key)) {
      // Where the count stands still, a rule leads back to itself.
      const rule = builder.declare('items');
      known.set(key, builder.use(rule));
      builder.define(rule, alternatives(at, demands));
    }
    return known.get(key);
  };
  const alternatives = (at: number, demands: readonly SchemaNode[]): Alternative[] => {
    const end: Alternative[] = demands.length === 0 && at >= form.min ? [[]] : [];
    return [...end, ...items(at, demands).map(item => [punctuation.comma, ...item])];
  };
  const items = (at: number, demands: readonly SchemaNode[]): Alternative[] => {
    if (at >= form.max) return [];
    const own = form.prefix[at] ?? form.items;
    const next = Math.min(at + 1, counted);
    return subsets(demands).flatMap(met => {
      nodes.budget.spend(1);
      const value = compiler.value(nodes.and([own, ...met]));
      const rest =
        value &&
        from(
          next,
          demands.filter(demand => !met.includes(demand)),
        );
      return value && rest ? [[value, rest]] : [];
    });
  };
  return items(0, form.contains).map(item => [punctuation.openArray, ...item, punctuation.closeArray]);
}

function subsets<T>(list: readonly T[]): T[][] {
  const sets: T[][] = [[]];
  for (const each of list) sets.push(...sets.map(set => [...set, each]));
  return sets;
}
