/**
 * A chat of several turns: you keep the messages, and send all of them each time. What the model has read before is
 * in its prefix cache, so only the new turn is computed.
 */
import { type ChatMessage, loadModel } from '../src/index.ts';

await using model = await loadModel('smollm2-135m');

const messages: ChatMessage[] = [{ role: 'system', content: 'Answer the question in one sentence.' }];
for (const question of ['What is the capital of France?', 'What is it famous for?', 'How do I get there?']) {
  messages.push({ role: 'user', content: question });
  const { text, usage } = await model.chat(messages, { maxTokens: 40 });
  messages.push({ role: 'assistant', content: text });
  console.log(`> ${question}\n${text}\n(${usage.promptTokens} tokens, ${usage.cachedTokens} of them known already)\n`);
}
