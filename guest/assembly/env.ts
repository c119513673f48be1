/**
 * The host's functions as a program sees them: docs/program-abi.md describes each. Negative results are error codes.
 * AssemblyScript takes this file's name as the module to import from.
 */
export declare function realm_host_generate(
  modelId: u32,
  promptPtr: u32,
  promptLen: u32,
  optionsPtr: u32,
  outPtr: u32,
  outMaxLen: u32,
): i32;
export declare function realm_stream_token(ptr: u32, len: u32): i32;
export declare function realm_encode_tokens(modelId: u32, textPtr: u32, textLen: u32, outPtr: u32, outMax: u32): i32;
export declare function realm_decode_tokens(modelId: u32, idsPtr: u32, count: u32, outPtr: u32, outMax: u32): i32;
export declare function realm_get_model_metadata(modelId: u32, outPtr: u32, outMax: u32): i32;
