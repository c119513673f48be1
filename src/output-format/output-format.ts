import type { ChatTemplate } from '../tokenizer/types.ts';
import { deriveText, endBefore } from './answer-text.ts';
import { answerRenderer, deriveTools } from './derive.ts';
import { deriveReasoning } from './reasoning.ts';
import { shipped } from './shipped.ts';
import type { OutputFormat, ToolFormat } from './types.ts';

/** How a model writes thoughts, text and calls, as its template tells. `ends`: the texts of tokens that end an answer. */
export function outputFormat(template: ChatTemplate, ends: readonly string[]): OutputFormat {
  const known = shipped.find(({ sign }) => template.source.includes(sign))?.format;
  const thoughts = known?.reasoning ?? deriveReasoning(template);
  const text = known ? known.text : deriveText(template, ends, thoughts);
  const reasoning = thoughts && text ? endBefore(text, thoughts) : thoughts;
  const tools = known?.tools ?? derivedTools(template, ends);
  return { ...(reasoning && { reasoning }), ...(text && { text }), ...(tools && { tools }) };
}

function derivedTools(template: ChatTemplate, ends: readonly string[]): ToolFormat | undefined {
  try {
    return deriveTools(answerRenderer(template, ends));
  } catch {
    // A template that cannot write a chat with tools knows none.
    return undefined;
  }
}
