import type { ChatMessage, RenderOptions } from './types.ts';

type Render = (messages: readonly ChatMessage[], options: RenderOptions) => string;

const user: ChatMessage = { role: 'user', content: 'Is it raining?' };
const answer: ChatMessage = { role: 'assistant', content: 'It is not.' };

/**
 * What begins an answer, where a prompt behind results of calls ends like a whole answer instead: Gemma 4's template goes on in
 * the turn that called, and has ended it if there was a text beside the calls.
 */
export function missingBeginning(text: string, render: Render, { variables }: RenderOptions): string {
  try {
    const answered = render([user, answer], { variables, addGenerationPrompt: false });
    const end = answered.slice(answered.lastIndexOf(answer.content) + answer.content.length);
    if (end.trim() === '' || !text.endsWith(end)) return '';
    const asked = render([user], { variables, addGenerationPrompt: false });
    const prompt = render([user], { variables });
    return prompt.startsWith(asked) ? prompt.slice(asked.length) : '';
  } catch {
    // It refuses such a chat.
    return '';
  }
}
