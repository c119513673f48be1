import type { ChatTemplate } from '../tokenizer/types.ts';
import { behindPrompt } from './derive.ts';
import { user } from './probes.ts';
import { commonStart } from './repeated.ts';
import type { ReasoningFormat, TextFormat } from './types.ts';

/** What has one can be searched for in a text without being mistaken. */
const MARKER = /<[^<>\s][^<>]*>|\[\/?[A-Z_]{2,30}\]/;

/**
 * How the template marks an answer that is plain text; undefined where such an answer stands as it is. `ends`: the texts of tokens
 * that end an answer.
 */
export function deriveText(
  template: ChatTemplate,
  ends: readonly string[],
  reasoning: ReasoningFormat | undefined,
): TextFormat | undefined {
  try {
    const prompt = template.render([user]);
    const text = template.render([user, { role: 'assistant', content: 'zqcontent' }], { addGenerationPrompt: false });
    const turn = behindPrompt(text.slice(commonStart(text, prompt)), prompt);
    const [before = '', behind] = turn.split('zqcontent');
    if (behind === undefined) return undefined;
    const open = withoutThoughts(before, reasoning);
    if (open.trim() === '') return undefined;
    const stops = ends.map(end => behind.indexOf(end)).filter(at => at >= 0);
    const close = stops.length === 0 ? '' : behind.slice(0, Math.min(...stops)).trim();
    return { open, close, silent: [open.trim(), close].filter(marker => MARKER.test(marker)) };
  } catch {
    return undefined;
  }
}

/** Thoughts end before the text: what opens the text is not their end. */
export function endBefore({ open }: TextFormat, reasoning: ReasoningFormat): ReasoningFormat {
  const { close } = reasoning;
  return close.endsWith(open) ? { ...reasoning, close: close.slice(0, close.length - open.length) } : reasoning;
}

function withoutThoughts(text: string, reasoning: ReasoningFormat | undefined): string {
  const end = reasoning ? text.lastIndexOf(reasoning.close) : -1;
  return reasoning && end >= 0 ? text.slice(end + reasoning.close.length) : text;
}
