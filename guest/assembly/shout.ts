/** A sample program: the model's answer in upper case. */
import { realm_host_generate } from './env';
import { readText, stream } from './realm';

export { realm_alloc, realm_new } from './realm';

export function realm_on_token(ptr: u32, len: u32): i32 {
  return stream(readText(ptr, len).toUpperCase());
}

export function generate(promptPtr: u32, promptLen: u32, modelId: u32, optionsPtr: u32): u32 {
  realm_host_generate(modelId, promptPtr, promptLen, optionsPtr, 0, 0);
  return 0;
}
