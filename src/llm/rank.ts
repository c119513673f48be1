import { checkLength } from '../engine/admission.ts';
import type { Steps } from '../tokenizer/steps.ts';
import type { TextRange, Token } from '../tokenizer/types.ts';
import type { InputOptions } from './embed.ts';
import type { ModelText } from './model-text.ts';
import { refuseLongText } from './prompt.ts';

interface Pair {
  readonly query: string;
  readonly document: string;
}

/**
 * A query and a document as a model that ranks reads them: in its template, or as two texts. What they say is no control token.
 * Throws `context_length_exceeded`.
 */
export function* encodeRanking(
  model: ModelText,
  { query, document }: Pair,
  { context, parseSpecial = false }: Omit<InputOptions, 'truncate'>,
  param: string,
): Steps<Int32Array> {
  for (const text of [query, document]) refuseLongText(model.tokenizer, text, context, param);
  const tokens =
    model.rankTemplate === undefined
      ? yield* encodePair(model, { query, document }, parseSpecial)
      : yield* encodeFilled(model, model.rankTemplate, { query, document }, parseSpecial);
  checkLength(tokens.length, context, { embed: true, param });
  return Int32Array.from(tokens);
}

/** The second text begins where the first one ends: with what separates them, and without a beginning of its own. */
function* encodePair({ tokenizer }: ModelText, { query, document }: Pair, parseSpecial: boolean): Steps<Token[]> {
  const { bos, separator } = tokenizer;
  const first = yield* tokenizer.encodeInSteps(query, { parseSpecial });
  const second = yield* tokenizer.encodeInSteps(document, { parseSpecial });
  const rest = bos !== undefined && second[0] === bos ? second.slice(1) : second;
  return [...first, ...(separator === undefined ? [] : [separator]), ...rest];
}

function encodeFilled({ tokenizer }: ModelText, template: string, pair: Pair, parseSpecial: boolean): Steps<Token[]> {
  let text = '';
  const values: TextRange[] = [];
  for (const part of template.split(/(\{query\}|\{document\})/)) {
    const value = part === '{query}' ? pair.query : part === '{document}' ? pair.document : undefined;
    if (value !== undefined) values.push([text.length, text.length + value.length]);
    text += value ?? part;
  }
  return tokenizer.encodeInSteps(text, { addSpecial: false, ...(parseSpecial ? {} : { values }) });
}
