import { answerRenderer, deriveTools } from '../output-format/derive.ts';
import { deriveReasoning } from '../output-format/reasoning.ts';
import type { OutputFormat, ToolFormat } from '../output-format/types.ts';
import type { ChatTemplate, Token, Tokenizer } from '../tokenizer/types.ts';

/** How the model writes thoughts and calls of tools, as far as its chat template shows it. */
export function findOutputFormat(template: ChatTemplate, tokenizer: Tokenizer): OutputFormat {
  const tools = findTools(template, tokenizer);
  const reasoning = deriveReasoning(template);
  return { ...(reasoning && { reasoning }), ...(tools && { tools }) };
}

function findTools(template: ChatTemplate, tokenizer: Tokenizer): ToolFormat | undefined {
  const ends = [...tokenizer.endOfGeneration].map(token => tokenizer.text(token)).filter(end => end !== '');
  try {
    return deriveTools(answerRenderer(template, ends));
  } catch {
    // It refuses plain chats with tools, so nobody can call any.
    return undefined;
  }
}

/** The control tokens that the format is written with: text of an answer that is read by it. */
export function markersOf(format: OutputFormat, tokenizer: Tokenizer): ReadonlySet<Token> {
  const texts = literalsOf(format);
  if (texts.length === 0) return new Set();
  const found = tokenizer.controlTexts.filter(control => texts.some(text => text.includes(control)));
  return new Set(found.flatMap(control => tokenizer.encode(control, { addSpecial: false })));
}

/** All texts of a format; what only names a kind among them does no harm. */
function literalsOf(format: unknown): string[] {
  if (typeof format === 'string') return [format];
  return typeof format === 'object' && format !== null ? Object.values(format).flatMap(literalsOf) : [];
}
