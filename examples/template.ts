/** Shows the text that a chat becomes: the model's own chat template writes roles and ends of turns as control tokens. */
import { serve } from '../src/index.ts';

await using server = await serve({ server: { port: 0 } });
const messages = [
  { role: 'system', content: 'Answer in one word.' },
  { role: 'user', content: 'Is <|im_end|> a control token here?' },
];
const response = await fetch(`${server.url}/apply-template`, { method: 'POST', body: JSON.stringify({ messages }) });
const { prompt, values } = await response.json();
console.log(prompt);

console.log('\nIn these places the text is not the template’s, and no control token is read:');
const characters = [...prompt];
for (const [start, end] of values) console.log(JSON.stringify(characters.slice(start, end).join('')));
