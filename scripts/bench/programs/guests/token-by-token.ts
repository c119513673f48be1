/** A submit for each token. */
import { IGNORE_ENDS, Request, STREAM, Wish } from '../../../../guest/assembly/sequences';

export { realm_alloc } from '../../../../guest/assembly/sequences';

export function run(ptr: usize, len: u32): usize {
  const request = new Request(ptr, len);
  const sequence = request.sequence();
  const wish = new Wish(1);
  wish.flags = STREAM | IGNORE_ENDS;
  for (let i: u32 = 0; i < request.maxTokens; i++) sequence.generate(wish);
  return 0;
}
