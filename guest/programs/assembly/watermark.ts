/**
 * A watermark (arXiv:2301.10226): each token divides the vocabulary, and the next one is drawn with a preference for one
 * half. A chat is answered with it; a call {"text": "..."} is answered with how sure one may be that a text has it.
 */
import { field, textOf } from '../../assembly/json';
import { Request, Result, random, Sequence, say, textOfTokens, Wish } from '../../assembly/sequences';

export { realm_alloc } from '../../assembly/sequences';

const KEY: u32 = 0x5eed1234;
const DELTA = 4.0;

function isGreen(before: u32, token: u32): bool {
  const hash = ((before * 0x9e3779b1) ^ (token * 0x85ebca77) ^ KEY) * 0x2c1b3c6d;
  return ((hash >>> 16) & 1) === 1;
}

/** One of the likeliest tokens, the green ones first. */
function draw(before: u32, result: Result): u32 {
  const ids = result.topIds;
  const weights: f64[] = [];
  for (let k = 0; k < ids.length; k++) {
    weights.push(Math.exp(<f64>result.topLogprobs[k] + (isGreen(before, ids[k]) ? DELTA : 0)));
  }
  let left = random() * weights.reduce((sum, weight) => sum + weight, 0.0);
  for (let k = 0; k < ids.length; k++) {
    left -= weights[k];
    if (left <= 0) return ids[k];
  }
  return ids[0];
}

export function run(ptr: usize, len: u32): usize {
  const request = new Request(ptr, len);
  if (request.input !== '') return detect(request);
  const sequence = request.sequence();
  const ends = request.ends();
  const wish = Wish.one(20);
  let before = sequence.tokens().pop();
  for (let i: u32 = 0; i < request.maxTokens; i++) {
    const result = sequence.generate(wish);
    before = draw(before, result);
    if (ends.includes(before)) break;
    sequence.replaceLast(before);
    say(textOfTokens(request.model, [before]));
  }
  return 0;
}

/** Standard deviations above what chance gives: 4 is one text of 30,000. */
function detect(request: Request): usize {
  const sequence = Sequence.of(request.model);
  sequence.text(textOf(field(request.input, 'text')));
  const tokens = sequence.tokens();
  let green: f64 = 0;
  for (let i = 1; i < tokens.length; i++) if (isGreen(tokens[i - 1], tokens[i])) green++;
  const half = <f64>(tokens.length - 1) / 2;
  say('{"z":' + ((green - half) / Math.sqrt(half / 2)).toString() + '}');
  return 0;
}
