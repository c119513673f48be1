import { RealmError } from '../errors.ts';
import type { Grammar, GrammarSymbol, Rule } from './grammar.ts';

/** The grammar without the alternatives that match no text, so that no answer starts what it can never end. */
export function productive(grammar: Grammar): Grammar {
  const matching = productiveRules(grammar);
  if (!matching[grammar.start])
    throw new RealmError('grammar_invalid', 'the grammar or schema matches nothing: it contradicts itself');
  const fits = (symbol: GrammarSymbol) => symbol.kind !== 'rule' || matching[symbol.rule] === true;
  if (matching.every(Boolean)) return grammar;
  const rules = grammar.rules.map(
    (rule): Rule => ({ ...rule, alternatives: rule.alternatives.filter(symbols => symbols.every(fits)) }),
  );
  return { ...grammar, rules };
}

/** For each rule whether it matches any text. Each alternative counts what it still waits for. */
function productiveRules({ rules }: Grammar): boolean[] {
  const matching = rules.map(() => false);
  const waiting: { rule: number; missing: number }[][] = rules.map(() => []);
  const queue: number[] = [];
  const found = (rule: number) => {
    if (matching[rule]) return;
    matching[rule] = true;
    queue.push(rule);
  };
  for (const [rule, { alternatives }] of rules.entries()) {
    for (const symbols of alternatives) {
      const needed = symbols.filter(symbol => symbol.kind === 'rule');
      const alternative = { rule, missing: needed.length };
      for (const symbol of needed) waiting[symbol.rule]!.push(alternative);
      if (needed.length === 0) found(rule);
    }
  }
  for (let rule = queue.pop(); rule !== undefined; rule = queue.pop()) {
    for (const alternative of waiting[rule]!) if (--alternative.missing === 0) found(alternative.rule);
  }
  return matching;
}
