/** The host's functions as a program sees them; docs/programs.md describes each. Negative results are error codes. */

// @ts-ignore: decorator
@external("env", "realm_host_generate")
export declare function hostGenerate(
  modelId: u32,
  promptPtr: u32,
  promptLen: u32,
  optionsPtr: u32,
  outPtr: u32,
  outMaxLen: u32,
): i32;

// @ts-ignore: decorator
@external("env", "realm_stream_token")
export declare function streamToken(ptr: u32, len: u32): i32;

// @ts-ignore: decorator
@external("env", "realm_encode_tokens")
export declare function encodeTokens(modelId: u32, textPtr: u32, textLen: u32, outPtr: u32, outMax: u32): i32;

// @ts-ignore: decorator
@external("env", "realm_decode_tokens")
export declare function decodeTokens(modelId: u32, idsPtr: u32, count: u32, outPtr: u32, outMax: u32): i32;

// @ts-ignore: decorator
@external("env", "realm_get_model_metadata")
export declare function modelMetadata(modelId: u32, outPtr: u32, outMax: u32): i32;

/** The request's options, as `optionsPtr` points to them. */
@unmanaged
export class GenOptions {
  maxTokens: u32;
  temperature: f32;
  topP: f32;
  topK: u32;
  repetitionPenalty: f32;
  /** 0: random. */
  seed: u64;
  stopTokenCount: u8;
  stopTokensPtr: u32;
}

/** Reads a text that the host placed in memory. */
export function readText(ptr: u32, len: u32): string {
  return String.UTF8.decodeUnsafe(ptr, len);
}

/** Adds `text` to the answer. */
export function stream(text: string): i32 {
  const bytes = String.UTF8.encode(text);
  return streamToken(<u32>changetype<usize>(bytes), <u32>bytes.byteLength);
}

/** Room for the host's texts: the prompt, the options, and the pieces given to realm_on_token. */
export function realm_alloc(len: u32): u32 {
  return <u32>heap.alloc(len);
}

export function realm_new(): u32 {
  return 0;
}
