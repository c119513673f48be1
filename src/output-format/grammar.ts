import { choiceGrammar } from '../constrain/choice.ts';
import { gbnfGrammar } from '../constrain/gbnf.ts';
import type { Grammar, GrammarSymbol } from '../constrain/grammar.ts';
import { GrammarBuilder } from '../constrain/grammar-builder.ts';
import { addJsonSchema, anyObject } from '../constrain/json-schema/index.ts';
import { larkGrammar } from '../constrain/lark/index.ts';
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
import type { TextFormat } from './types.ts';

type Tools = NonNullable<AnswerSource['tools']>;

/** The grammar of what a request demands; its regular expressions are `builder.regexes`. */
export function constraintGrammar(
  source: ConstraintSource,
  control: ControlTokens,
  builder = new GrammarBuilder(),
): Grammar {
  if (source.kind === 'answer') return answerGrammar(source, control, builder);
  return grammarOf([[contentSymbol(source, control, builder)]], builder);
}

/**
 * Thoughts, text and calls of tools as the model's format writes them and the parser reads them. Control tokens stand only
 * where the format has them.
 */
export function answerGrammar(source: AnswerSource, control: ControlTokens, builder = new GrammarBuilder()): Grammar {
  const { reasoning, text, tools, content } = source;
  const alternatives: (readonly GrammarSymbol[])[] = [];
  const sequence = () => new Sequence(builder, control);
  if (tools?.choice !== 'required') {
    const opened = sequence().literal(text?.open ?? '');
    if (content) opened.symbol(contentSymbol(content, control, builder));
    else opened.regex(freeText(tools, text, builder));
    alternatives.push(closed(opened, text, builder));
  }
  if (tools && tools.declared.length > 0) {
    const calls = callsSymbol(tools, control, builder);
    const { marker, before } = openingOf(tools.format, text);
    const isPart = before !== tools.format.begin;
    const mayFollowText = tools.choice === 'auto' && !content && marker !== undefined && (!text || isPart);
    const behind =
      mayFollowText &&
      sequence()
        .literal(text?.open ?? '')
        .regex(freeText(tools, text, builder));
    if (!behind || text) alternatives.push([calls]);
    if (behind) alternatives.push(behind.literal(isPart ? before : '').symbol(calls).symbols);
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

/** With the end of the text, which models may leave out. */
function closed(opened: Sequence, text: TextFormat | undefined, builder: GrammarBuilder): readonly GrammarSymbol[] {
  if (!text?.close) return opened.symbols;
  return opened.symbol(builder.rule('close', [[], opened.another().literal(text.close).symbols])).symbols;
}

/** Text in which no call is begun. */
function freeText(tools: Tools | undefined, text: TextFormat | undefined, { regexes }: GrammarBuilder): RegexId {
  if (!tools) return anyText(regexes);
  const { marker } = openingOf(tools.format, text);
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

function contentSymbol(
  source: Exclude<ConstraintSource, AnswerSource>,
  control: ControlTokens,
  builder: GrammarBuilder,
): GrammarSymbol {
  switch (source.kind) {
    case 'json_schema':
      return addJsonSchema(parseSchema(source.schema), builder);
    case 'json_object':
      return addJsonSchema(anyObject, builder);
    case 'regex':
      return builder.use(regexGrammar(source.pattern, builder).start);
    case 'gbnf':
      return builder.use(gbnfGrammar(source.grammar, builder).start);
    case 'choice':
      return builder.use(choiceGrammar(source.choices, builder).start);
    case 'lark':
      return builder.use(larkGrammar(source.grammar, builder, namesOf(control)).start);
    default:
      return source satisfies never;
  }
}

/** Special tokens as a Lark grammar names them. */
const namesOf = (control: ControlTokens) => ({
  size: Math.max(-1, ...control.values()) + 1,
  named: (text: string) => control.get(text),
});

function parseSchema(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new RealmError('grammar_invalid', `the schema is no JSON: ${(cause as Error).message}`, { cause });
  }
}
