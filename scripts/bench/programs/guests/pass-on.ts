/** One submit of all tokens. */
import { IGNORE_ENDS, Request, STREAM, Wish } from '../../../../guest/assembly/sequences';

export { realm_alloc } from '../../../../guest/assembly/sequences';

export function run(ptr: usize, len: u32): usize {
  const request = new Request(ptr, len);
  const wish = new Wish(request.maxTokens);
  wish.flags = STREAM | IGNORE_ENDS;
  request.sequence().generate(wish);
  return 0;
}
