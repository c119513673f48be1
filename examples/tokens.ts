/** Cuts a text into the model's tokens and puts it together again: what is counted, priced and limited is tokens. */
import { loadModel } from '../src/index.ts';

await using model = await loadModel('smollm2-135m');

const text = 'Smörgåsbord costs 12.50 €, doesn’t it?';
const tokens = model.tokenize(text);
console.log(`${text.length} characters, ${tokens.length} tokens`);
for (const token of tokens) console.log(String(token).padStart(6), JSON.stringify(model.detokenize([token])));

const again = model.detokenize(tokens);
console.log(again === text ? 'together: the same text' : `together: ${again}`);
