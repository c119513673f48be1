/**
 * The host's functions of ABI v2 as a program sees them: docs/program-abi.md describes each. Negative results are error codes.
 * AssemblyScript takes this file's name as the module to import from.
 */
export declare function last_error(out: usize, max: u32): i32;
export declare function model_find(name: usize, len: u32): i32;
export declare function model_info(model: u32, out: usize, max: u32): i32;
export declare function seq_new(model: u32): i32;
export declare function seq_free(seq: u32): i32;
export declare function seq_chat(seq: u32, json: usize, len: u32): i32;
export declare function seq_text(seq: u32, text: usize, len: u32, flags: u32): i32;
export declare function seq_push(seq: u32, ids: usize, n: u32): i32;
export declare function seq_fork(seq: u32, out: usize, n: u32): i32;
export declare function seq_truncate(seq: u32, length: u32): i32;
export declare function seq_tokens(seq: u32, from: u32, out: usize, max: u32): i32;
export declare function seq_length(seq: u32): i32;
export declare function seq_save(seq: u32, key: usize, len: u32, ttl: u32): i32;
export declare function seq_open(model: u32, key: usize, len: u32): i32;
export declare function seq_sampler(seq: u32, json: usize, len: u32): i32;
export declare function seq_adapter(seq: u32, name: usize, len: u32): i32;
export declare function seq_bias(seq: u32, pairs: usize, n: u32, sticky: u32): i32;
export declare function seq_mask(seq: u32, bits: usize, words: u32): i32;
export declare function constraint_new(model: u32, kind: u32, source: usize, len: u32): i32;
export declare function constraint_free(constraint: u32): i32;
export declare function seq_constrain(seq: u32, constraint: u32): i32;
export declare function submit(requests: usize, n: u32): i32;
export declare function wait(tickets: usize, n: u32, any: u32, out: usize, max: u32): i32;
export declare function cancel(ticket: u32): i32;
export declare function logits(seq: u32, out: usize, max: u32): i32;
export declare function embed(model: u32, text: usize, len: u32, out: usize, max: u32): i32;
export declare function parser_new(model: u32, tools: usize, len: u32): i32;
export declare function parser_feed(parser: u32, ids: usize, n: u32, out: usize, max: u32): i32;
export declare function parser_free(parser: u32): i32;
export declare function decode(model: u32, ids: usize, n: u32, out: usize, max: u32): i32;
export declare function emit(kind: u32, text: usize, len: u32): i32;
export declare function tool(name: usize, nameLen: u32, json: usize, len: u32, out: usize, max: u32): i32;
export declare function budget(out: usize, max: u32): i32;
export declare function random(out: usize, n: u32): i32;
export declare function log(level: u32, text: usize, len: u32): i32;
