import type { ToolUse } from '../output-format/constraint-source.ts';
import { outputFormat } from '../output-format/output-format.ts';
import { injected } from '../output-format/tool-prompt.ts';
import type { OutputFormat } from '../output-format/types.ts';
import type { ChatTemplate, Token, Tokenizer } from '../tokenizer/types.ts';

/** How the model writes thoughts and calls of tools: as its template shows it, or calls in the format of that name. */
export function findOutputFormat(template: ChatTemplate, tokenizer: Tokenizer, toolFormat?: string): OutputFormat {
  const ends = [...tokenizer.endOfGeneration].map(token => tokenizer.text(token)).filter(end => end !== '');
  const found = outputFormat(template, ends);
  return withToolFormat(found, toolFormat);
}

/** The same with calls in the format of that name, if one is named. */
export function withToolFormat(format: OutputFormat, name: string | undefined): OutputFormat {
  const tools = name === undefined ? undefined : injected[name]?.format;
  return tools ? { ...format, tools } : format;
}

/** The control tokens that the model's output format is written with are text, where anybody reads it. */
export function markersIn({ reasoning, text }: OutputFormat, tools: ToolUse | undefined): boolean {
  return tools !== undefined || reasoning !== undefined || text !== undefined;
}

/** The control tokens that the format is written with: text of an answer that is read by it. */
export function markersOf(format: OutputFormat, tokenizer: Tokenizer): ReadonlySet<Token> {
  // A request may name another format of calls.
  const named = Object.values(injected).map(each => each.format);
  const texts = literalsOf([format, named]);
  if (texts.length === 0) return new Set();
  const found = tokenizer.controlTexts.filter(control => texts.some(text => text.includes(control)));
  return new Set(found.flatMap(control => tokenizer.encode(control, { addSpecial: false })));
}

/** All texts of a format; what only names a kind among them does no harm. */
function literalsOf(format: unknown): string[] {
  if (typeof format === 'string') return [format];
  return typeof format === 'object' && format !== null ? Object.values(format).flatMap(literalsOf) : [];
}
