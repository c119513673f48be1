import type { ChatTemplate } from '../tokenizer/types.ts';
import { user } from './probes.ts';
import { commonStart } from './repeated.ts';
import type { ReasoningFormat } from './types.ts';

/** The fields under which templates look for thoughts. */
const fields = ['reasoning_content', 'reasoning', 'thinking'];
/** How templates write the end of thoughts that are a part of the content. */
const CLOSE = /<\/[\w:]*think(?:ing)?[\w:]*>|\[\/THINK\]|<\|END_THINKING\|>/;

/** How the template writes thoughts: as it writes an answer that has some, or as it cuts them off; undefined where it knows none. */
export function deriveReasoning(template: ChatTemplate): ReasoningFormat | undefined {
  return renderedReasoning(template) ?? searchedReasoning(template.source);
}

/** The generation prompt has begun the thoughts already. */
export function beginsInReasoning({ open }: ReasoningFormat, prompt: string): boolean {
  return prompt.trimEnd().endsWith(open.trim());
}

function renderedReasoning(template: ChatTemplate): ReasoningFormat | undefined {
  const thoughts = Object.fromEntries(fields.map(field => [field, 'zqthought']));
  try {
    const prompt = template.render([user]);
    const text = template.render([user, { role: 'assistant', content: 'zqcontent', ...thoughts }], {
      addGenerationPrompt: false,
    });
    const turn = text.slice(commonStart(text, prompt));
    // The prompt may end with the beginning of thoughts.
    const [before = '', rest] = turn.split('zqthought');
    const [close, content] = rest?.split('zqcontent') ?? [];
    const open = before.trim() === '' ? openAtEnd(prompt) : lastMarker(before);
    return content === undefined || !close?.trim() || !open ? undefined : { open, close: close.trim() };
  } catch {
    return undefined;
  }
}

const openAtEnd = (prompt: string): string | undefined =>
  /<[^/<>\s][^<>\s]*think[^<>\s]*>$/i.exec(prompt.trimEnd())?.[0];

const lastMarker = (text: string): string => /\S+$/.exec(text.trimEnd())?.[0] ?? text.trim();

function searchedReasoning(source: string): ReasoningFormat | undefined {
  const close = CLOSE.exec(source)?.[0];
  return close === undefined ? undefined : { open: close.replace(/^(.)\//, '$1').replace('END_', 'START_'), close };
}
