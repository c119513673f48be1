/** The default program: passes the request to the model, and the model's answer on as it comes. */
import { realm_host_generate, realm_stream_token } from './env';

export { realm_alloc, realm_new } from './realm';

export function realm_on_token(ptr: u32, len: u32): i32 {
  return realm_stream_token(ptr, len);
}

export function generate(promptPtr: u32, promptLen: u32, modelId: u32, optionsPtr: u32): u32 {
  // The answer was streamed, so none is asked for here; an error that nobody answers is reported by the host.
  realm_host_generate(modelId, promptPtr, promptLen, optionsPtr, 0, 0);
  return 0;
}
