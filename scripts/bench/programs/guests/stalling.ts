/** Computes for some 100 ms before each token. */
import { IGNORE_ENDS, Request, STREAM, Wish } from '../../../../guest/assembly/sequences';

export { realm_alloc } from '../../../../guest/assembly/sequences';

const TURNS = 50_000_000;

function stall(state: u32): u32 {
  for (let i = 0; i < TURNS; i++) state = state * 1664525 + 1013904223;
  return state;
}

export function run(ptr: usize, len: u32): usize {
  const request = new Request(ptr, len);
  const sequence = request.sequence();
  const wish = new Wish(1);
  wish.flags = STREAM | IGNORE_ENDS;
  let state: u32 = 1;
  for (let i: u32 = 0; i < request.maxTokens; i++) {
    state = stall(state);
    // Nobody knows that it is never 0 there, so it is computed.
    if (state !== 0) sequence.generate(wish);
  }
  return 0;
}
