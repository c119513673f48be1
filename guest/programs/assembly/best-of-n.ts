/** Best of n: several answers at once, of which the one that the model finds most likely, token for token, is given. */
import { LOGPROBS, Request, say, submit, Wish } from '../../assembly/sequences';

export { realm_alloc } from '../../assembly/sequences';

const N = 8;

export function run(ptr: usize, len: u32): usize {
  const request = new Request(ptr, len);
  const sequences = request.sequence().fork(N);
  for (let i = 0; i < N; i++) sequences[i].sampler('{"temperature":0.9}');
  const wish = new Wish(request.maxTokens);
  wish.flags = LOGPROBS;
  // The prompt is computed, and paid for, once.
  const results = submit(sequences, [wish]).wait();
  let best = -1;
  let bestScore: f64 = 0;
  for (let i = 0; i < N; i++) {
    if (results[i].error !== 0 || results[i].tokens.length === 0) continue;
    const score = results[i].score / results[i].tokens.length;
    if (best >= 0 && score <= bestScore) continue;
    best = i;
    bestScore = score;
  }
  if (best >= 0) say(results[best].text);
  return 0;
}
