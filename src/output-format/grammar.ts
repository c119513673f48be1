import { choiceGrammar } from '../constrain/choice.ts';
import { gbnfGrammar } from '../constrain/gbnf.ts';
import type { Grammar, GrammarSymbol } from '../constrain/grammar.ts';
import { GrammarBuilder } from '../constrain/grammar-builder.ts';
import { addJsonSchema, anyObject } from '../constrain/json-schema/index.ts';
import { productive } from '../constrain/productive.ts';
import type { RegexId } from '../constrain/regex.ts';
import { regexGrammar } from '../constrain/regex-grammar.ts';
import { RealmError } from '../errors.ts';
import { callsSymbol } from './call-grammar.ts';
import type { AnswerSource, ConstraintSource } from './constraint-source.ts';
import type { ControlTokens } from './control-tokens.ts';
import { openingOf } from './opening.ts';
import { Sequence } from './sequence.ts';
import { anyBehind, anyBut, anyText, gap, loosely } from './text-regexes.ts';

type Tools = NonNullable<AnswerSource['tools']>;

/** The grammar of what a request demands; its regular expressions are `builder.regexes`. */
export function constraintGrammar(
  source: ConstraintSource,
  control: ControlTokens,
  builder = new GrammarBuilder(),
): Grammar {
  if (source.kind === 'answer') return answerGrammar(source, control, builder);
  return grammarOf([[contentSymbol(source, builder)]], builder);
}

/**
 * Thoughts, text and calls of tools as the model's format writes them and the parser reads them. Control tokens stand only
 * where the format has them.
 */
export function answerGrammar(source: AnswerSource, control: ControlTokens, builder = new GrammarBuilder()): Grammar {
  const { reasoning, tools, content } = source;
  const alternatives: (readonly GrammarSymbol[])[] = [];
  const sequence = () => new Sequence(builder, control);
  if (tools?.choice !== 'required') {
    const opened = sequence().literal(reasoning?.answer ?? '');
    if (content) alternatives.push(opened.symbol(contentSymbol(content, builder)).symbols);
    else alternatives.push(opened.regex(freeText(tools, builder)).symbols);
  }
  if (tools && tools.declared.length > 0) {
    const calls = callsSymbol(tools, control, builder);
    const mayFollowText =
      tools.choice === 'auto' && !content && !reasoning?.answer && openingOf(tools.format).marker !== undefined;
    alternatives.push(mayFollowText ? sequence().regex(freeText(tools, builder)).symbol(calls).symbols : [calls]);
  }
  if (!reasoning) return grammarOf(alternatives, builder);
  const answer = builder.rule('answer', alternatives);
  const thoughts = sequence()
    .literal(reasoning.begun ? '' : reasoning.open)
    .regex(anyBut(reasoning.close, builder.regexes))
    .literal(reasoning.close)
    .literal(reasoning.next ?? '')
    .regex(gap(builder.regexes))
    .symbol(answer).symbols;
  return grammarOf(reasoning.begun ? [thoughts] : [thoughts, [answer]], builder);
}

function grammarOf(alternatives: readonly (readonly GrammarSymbol[])[], builder: GrammarBuilder): Grammar {
  const start = builder.declare('start');
  builder.define(start, alternatives);
  return productive(builder.build(start));
}

/** Text in which no call is begun. */
function freeText(tools: Tools | undefined, { regexes }: GrammarBuilder): RegexId {
  if (!tools) return anyText(regexes);
  const { marker } = openingOf(tools.format);
  if (marker !== undefined) return anyBut(marker, regexes);
  const { begin, call } = tools.format;
  const names = regexes.or(tools.declared.map(({ name }) => loosely(name, regexes)));
  const head = call
    .slice(
      0,
      call.findIndex(({ kind }) => kind === 'arguments'),
    )
    .map(part => {
      if (part.kind === 'text') return loosely(part.text, regexes);
      return part.kind === 'name' ? names : loosely('', regexes);
    });
  return anyBehind(regexes.concat([loosely(begin, regexes), ...head]), regexes);
}

function contentSymbol(source: Exclude<ConstraintSource, AnswerSource>, builder: GrammarBuilder): GrammarSymbol {
  switch (source.kind) {
    case 'json_schema':
      return addJsonSchema(JSON.parse(source.schema), builder);
    case 'json_object':
      return addJsonSchema(anyObject, builder);
    case 'regex':
      return builder.use(regexGrammar(source.pattern, builder).start);
    case 'gbnf':
      return builder.use(gbnfGrammar(source.grammar, builder).start);
    case 'choice':
      return builder.use(choiceGrammar(source.choices, builder).start);
    case 'lark':
      throw new RealmError('grammar_invalid', 'grammars in Lark’s notation cannot be used yet: write it as GBNF');
    default:
      return source satisfies never;
  }
}
