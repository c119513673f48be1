/** Answers as the model does, and sends each piece of the answer as it comes. */
import { Request, STREAM, submit, Wish } from './realm/sequences';

export { realm_alloc } from './realm/sequences';

export function run(ptr: usize, len: u32): usize {
  const request = new Request(ptr, len);
  const wish = new Wish(request.maxTokens);
  wish.flags = STREAM;
  submit([request.sequence()], [wish]).wait();
  return 0;
}
