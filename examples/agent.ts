/**
 * An agent in its simplest form: propose, check with code, tell the model what was wrong, and try again. The code decides
 * when the answer is good enough, and how often it may be tried.
 */
import { type ChatMessage, loadModel } from '../src/index.ts';

await using model = await loadModel('smollm2-135m');

/** What is wrong with a slogan, or undefined. */
function problem(text: string): string | undefined {
  const words = text.split(/\s+/).length;
  if (words > 6) return `That has ${words} words. Use at most 6.`;
  if (!text.endsWith('!')) return 'End with an exclamation mark.';
}

const messages: ChatMessage[] = [{ role: 'user', content: 'Write a short slogan for a tea shop.' }];
for (let attempt = 1; attempt <= 6; attempt++) {
  const { text } = await model.chat(messages, { maxTokens: 30, temperature: 0.8, seed: attempt, stop: '\n' });
  const wrong = problem(text.trim());
  console.log(`${attempt}. ${text.trim()}\n   ${wrong ?? 'Accepted.'}`);
  if (wrong === undefined) break;
  messages.push({ role: 'assistant', content: text }, { role: 'user', content: `${wrong} Write another slogan.` });
}
