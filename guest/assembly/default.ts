/** The default program: passes the request to the model, and lets the host stream the model's answer. */
import { realm_host_generate } from './env';

export { realm_alloc, realm_new } from './realm';

/** Nothing is done with the pieces, so they need not come here: it saves two changes of thread for each token. */
export function realm_auto_stream(): i32 {
  return 1;
}

export function generate(promptPtr: u32, promptLen: u32, modelId: u32, optionsPtr: u32): u32 {
  // The answer was streamed, so none is asked for here; an error that nobody answers is reported by the host.
  realm_host_generate(modelId, promptPtr, promptLen, optionsPtr, 0, 0);
  return 0;
}
