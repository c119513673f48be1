/** Shows how sure the model was of each token, and what else it might have said. */
import { loadModel } from '../src/index.ts';

await using model = await loadModel('smollm2-135m');

const percent = (logprob: number) => `${(Math.exp(logprob) * 100).toFixed(1)} %`;
const { logprobs = [] } = await model.generate('The sky is', { maxTokens: 6, temperature: 0, logprobs: 3 });
for (const { token, logprob, top } of logprobs) {
  const others = top.map(other => `${JSON.stringify(other.token)} ${percent(other.logprob)}`).join(', ');
  console.log(`${JSON.stringify(token)} ${percent(logprob)}, of: ${others}`);
}
