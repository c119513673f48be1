/** Speculative drafting: what followed the last tokens earlier is guessed to follow again. The answer stays what it is. */
import { Request, say, Wish } from '../../assembly/sequences';

export { realm_alloc } from '../../assembly/sequences';

const GRAM = 3;
const DRAFT = 16;

/** What stands behind the last place where the last tokens stood before. */
function guess(tokens: u32[]): u32[] {
  const end = tokens.length - GRAM;
  for (let at = end - 1; at >= 0; at--) {
    let same = 0;
    while (same < GRAM && tokens[at + same] === tokens[end + same]) same++;
    if (same === GRAM) return tokens.slice(at + GRAM, at + GRAM + DRAFT);
  }
  return [];
}

export function run(ptr: usize, len: u32): usize {
  const request = new Request(ptr, len);
  const sequence = request.sequence();
  sequence.sampler('{"temperature":0}');
  let left = request.maxTokens;
  while (left > 0) {
    const wish = new Wish(min<u32>(left, DRAFT + 1));
    wish.draft = guess(sequence.tokens());
    const result = sequence.generate(wish);
    if (result.error !== 0) break;
    say(result.text);
    left -= result.tokens.length;
    if (result.reason !== 1) break;
  }
  return 0;
}
