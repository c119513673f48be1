/** What the classic programs do not use of the SDK: says what came of it, a line each. sdk.rs says the same. */
import { field } from '../../../guest/assembly/json';
import {
  budget,
  Constraint,
  embed,
  LOGPROBS,
  Mask,
  Request,
  Sequence,
  say,
  submit,
  Ticket,
  Wish,
  waitAny,
} from '../../../guest/assembly/sequences';

export { realm_alloc } from '../../../guest/assembly/sequences';

const line = (text: string): void => say(text + '\n');

/** Letters are tokens. */
const letter = (text: string): u32 => text.charCodeAt(0);

function likeliest(values: f32[]): i32 {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}

/** One mask for two sequences, of which one runs on for long: the other is complete first. */
function race(sequence: Sequence, vocabulary: u32): void {
  const mask = new Mask(vocabulary);
  mask.allow(letter('c'));
  const forks = sequence.fork(2);
  forks[0].mask(mask);
  forks[1].mask(mask);
  const long = submit([forks[0]], [new Wish(100000)]);
  const tickets: Ticket[] = [long, submit([forks[1]], [new Wish(2)])];
  const first = waitAny(tickets);
  line(first.length.toString() + ' ' + (first[0] === tickets[1]).toString() + ' ' + first[0].results[0].text);
  long.cancel();
  const stopped = waitAny([long])[0].results[0];
  line(stopped.reason.toString() + ' ' + stopped.text.substring(0, 2));
}

function constrained(sequence: Sequence): void {
  const constraint = Constraint.regex(sequence.model, '[de]*');
  sequence.constrain(constraint);
  constraint.free();
  line(sequence.generate(new Wish(2)).text.length.toString());
  sequence.constrain(null);
  line(sequence.generate(new Wish(1)).text);
}

function scored(sequence: Sequence): void {
  const wish = new Wish(5);
  wish.flags = LOGPROBS;
  wish.topK = 2;
  wish.scored = [letter('b'), letter('z')];
  wish.stopTokens = [letter('b')];
  const stopped = sequence.generate(wish);
  wish.stopTokens = [];
  const result = sequence.generate(wish);
  const same = result.scores[0] === result.logprobs[0] && result.topLogprobs[1] === result.scores[0];
  line(
    stopped.tokens.length.toString() + ' ' + result.scores.length.toString() + ' ' + result.topIds.length.toString(),
  );
  line(same.toString() + ' ' + (result.scores[1] < result.scores[0]).toString());
}

export function run(ptr: usize, len: u32): usize {
  const request = new Request(ptr, len);
  const vocabulary = <u32>parseInt(field(request.modelInfo(), 'vocab_size'), 10);
  const sequence = request.sequence();
  sequence.sampler('{"temperature":0}');
  sequence.adapter('legal');
  line(String.fromCharCode(likeliest(sequence.logits())));
  line(likeliest(embed(request.model, 'babbles')).toString());
  line(field(budget(), 'tokens'));
  sequence.bias([letter('a')], [-50], true);
  race(sequence, vocabulary);
  constrained(sequence);
  scored(sequence);
  sequence.bias([letter('f')], [90], false);
  line(sequence.generate(new Wish(2)).text);
  return 0;
}
