/** Loops for ever. */
export { realm_alloc } from '../../../../guest/assembly/sequences';

export function run(ptr: usize, len: u32): usize {
  let state: u32 = <u32>ptr + len;
  while (state !== 0) state = (state * 1664525 + 1013904223) | 1;
  return 0;
}
