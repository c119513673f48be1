/**
 * Sorts texts into classes. A bias lets the model say nothing but a label, and log-probabilities tell how sure it is:
 * one token for each text, all of them in one batch.
 */
import { loadModel } from '../src/index.ts';

await using model = await loadModel('smollm2-135m');

const labels = [' positive', ' negative'];
const ids = labels.flatMap(label => model.tokenize(label, { addSpecial: false }).slice(0, 1));
const logitBias = new Map(ids.map(id => [id, 100]));

const examples = `Review: I loved every minute of it.\nSentiment: positive

Review: A waste of time and money.\nSentiment: negative`;

async function classify(review: string) {
  const prompt = `${examples}\n\nReview: ${review}\nSentiment:`;
  const { logprobs } = await model.generate(prompt, { maxTokens: 1, temperature: 0, logitBias, logprobs: 20 });
  const [{ token, top } = { token: '', top: [] }] = logprobs ?? [];
  const chance = (label: string) => Math.exp(top.find(each => each.token === label)?.logprob ?? -Infinity);
  const sure = chance(token) / labels.reduce((sum, label) => sum + chance(label), 0);
  return `${token.trim()} (${(sure * 100).toFixed(0)} %): ${review}`;
}

const reviews = ['Wonderful, I will come back.', 'The food was cold and the staff was rude.', 'A great film!'];
console.log((await Promise.all(reviews.map(classify))).join('\n'));
