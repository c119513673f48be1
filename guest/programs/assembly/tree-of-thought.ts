/** Tree of thought (arXiv:2305.10601): at each depth several thoughts, which the model itself judges; the best go on. */
import { Constraint, emit, LOGPROBS, Request, Sequence, STREAM, submit, Wish } from '../../assembly/sequences';

export { realm_alloc } from '../../assembly/sequences';

const BREADTH = 4;
const KEPT = 2;
const DEPTH = 2;

/** How sure the model is that a line of thought is good. */
function judge(thoughts: Sequence[], verdict: Constraint): f64[] {
  const judges: Sequence[] = [];
  for (let i = 0; i < thoughts.length; i++) {
    const judge = thoughts[i].fork(1)[0];
    judge.text('\nIs this the right way? Answer good or bad: ');
    judge.constrain(verdict);
    judges.push(judge);
  }
  const wish = new Wish(4);
  wish.flags = LOGPROBS;
  const results = submit(judges, [wish]).wait();
  const scores: f64[] = [];
  for (let i = 0; i < judges.length; i++) {
    scores.push(results[i].text.startsWith('good') ? 1 + Math.exp(results[i].score) : 1 - Math.exp(results[i].score));
    judges[i].free();
  }
  return scores;
}

export function run(ptr: usize, len: u32): usize {
  const request = new Request(ptr, len);
  const verdict = Constraint.choice(request.model, '["good","bad"]');
  let kept: Sequence[] = [request.sequence()];
  for (let depth = 0; depth < DEPTH; depth++) {
    let thoughts: Sequence[] = [];
    for (let i = 0; i < kept.length; i++) thoughts = thoughts.concat(kept[i].fork(BREADTH));
    for (let i = 0; i < thoughts.length; i++) thoughts[i].sampler('{"temperature":1}');
    const wish = new Wish(64);
    wish.stops = ['\n'];
    submit(thoughts, [wish]).wait();
    const scores = judge(thoughts, verdict);
    kept = [];
    while (kept.length < KEPT) {
      const best = scores.indexOf(scores.reduce((a, b) => Math.max(a, b), -1.0));
      kept.push(thoughts[best]);
      emit(3, '{"depth":' + depth.toString() + ',"score":' + scores[best].toString() + '}');
      scores[best] = -1;
    }
    for (let i = 0; i < thoughts.length; i++) if (!kept.includes(thoughts[i])) thoughts[i].free();
  }
  kept[0].text('\nAnswer: ');
  const wish = new Wish(request.maxTokens);
  wish.flags = STREAM;
  kept[0].generate(wish);
  return 0;
}
