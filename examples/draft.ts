/**
 * Lets a smaller model of the same vocabulary guess tokens that the larger one checks; the text stays the same. Here the
 * small model drafts for itself, so that nothing more is fetched; that costs more than it saves, so it soon guesses less.
 */
import { loadModel } from '../src/index.ts';

async function ask(draft?: string) {
  await using model = await loadModel('smollm2-135m', { draft, context: 1024 });
  const { text } = await model.chat('Write a sentence about the moon.', { maxTokens: 24, seed: 7, temperature: 0.7 });
  const { draftedTokens, acceptedTokens } = await model.stats();
  console.log(`draft model ${draft ?? 'none'}: ${draftedTokens} tokens guessed, ${acceptedTokens} of them right`);
  return text;
}

const plain = await ask();
const drafted = await ask('smollm2-135m');
console.log(drafted);
console.log(drafted === plain ? 'the same text' : 'another text');
