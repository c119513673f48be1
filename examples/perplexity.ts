/**
 * How much a text surprises the model. For each of its tokens the model is asked what comes behind the tokens before it;
 * a bias lets it say only the one that does, and log-probabilities tell how likely that was without the bias.
 */
import { loadModel } from '../src/index.ts';

await using model = await loadModel('smollm2-135m');

async function perplexity(text: string): Promise<number> {
  const tokens = model.tokenize(text);
  const surprise = async (token: number, i: number) => {
    const before = model.detokenize(tokens.slice(0, i));
    const options = { maxTokens: 1, temperature: 0, logprobs: true, logitBias: new Map([[token, 100]]) };
    const { logprobs } = await model.generate(before, options);
    return -(logprobs?.[0]?.logprob ?? Number.NaN);
  };
  const surprises = await Promise.all(tokens.slice(1).map((token, i) => surprise(token, i + 1)));
  return Math.exp(surprises.reduce((sum, each) => sum + each, 0) / surprises.length);
}

for (const text of [
  'The capital of France is Paris, and the capital of Italy is Rome.',
  'The capital of France is purple, and the capital of Italy is seven.',
  'Rome the Italy and is, Paris capital France of the capital is of.',
])
  console.log((await perplexity(text)).toFixed(1).padStart(8), text);
