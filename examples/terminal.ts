/** A chat in the terminal: type a question, read the answer as it is made; an empty line or the end of the input ends it. */
import { createInterface } from 'node:readline';
import { type ChatMessage, loadModel } from '../src/index.ts';

await using model = await loadModel(process.argv[2] ?? 'smollm2-135m');

const messages: ChatMessage[] = [];
process.stdout.write('you> ');
for await (const line of createInterface({ input: process.stdin })) {
  if (line.trim() === '') break;
  messages.push({ role: 'user', content: line });
  process.stdout.write('model> ');
  let answer = '';
  for await (const { text } of model.chat(messages, { maxTokens: 200 })) {
    process.stdout.write(text);
    answer += text;
  }
  messages.push({ role: 'assistant', content: answer });
  process.stdout.write('\nyou> ');
}
console.log('\nbye');
