//! The host's functions as a program sees them: docs/program-abi.md describes each. Negative results are error codes.

#[link(wasm_import_module = "realm2")]
extern "C" {
    pub fn last_error(out: *mut u8, max: usize) -> i32;
    pub fn model_find(name: *const u8, len: usize) -> i32;
    pub fn model_info(model: u32, out: *mut u8, max: usize) -> i32;
    pub fn seq_new(model: u32) -> i32;
    pub fn seq_free(seq: u32) -> i32;
    pub fn seq_chat(seq: u32, json: *const u8, len: usize) -> i32;
    pub fn seq_text(seq: u32, text: *const u8, len: usize, flags: u32) -> i32;
    pub fn seq_push(seq: u32, ids: *const u32, n: usize) -> i32;
    pub fn seq_fork(seq: u32, out: *mut u32, n: usize) -> i32;
    pub fn seq_truncate(seq: u32, length: usize) -> i32;
    pub fn seq_tokens(seq: u32, from: usize, out: *mut u32, max: usize) -> i32;
    pub fn seq_length(seq: u32) -> i32;
    pub fn seq_save(seq: u32, key: *const u8, len: usize, ttl: u32) -> i32;
    pub fn seq_open(model: u32, key: *const u8, len: usize) -> i32;
    pub fn seq_sampler(seq: u32, json: *const u8, len: usize) -> i32;
    pub fn seq_adapter(seq: u32, name: *const u8, len: usize) -> i32;
    pub fn seq_bias(seq: u32, pairs: *const [u32; 2], n: usize, sticky: u32) -> i32;
    pub fn seq_mask(seq: u32, bits: *const u32, words: usize) -> i32;
    pub fn constraint_new(model: u32, kind: u32, source: *const u8, len: usize) -> i32;
    pub fn constraint_free(constraint: u32) -> i32;
    pub fn seq_constrain(seq: u32, constraint: u32) -> i32;
    pub fn submit(requests: *const u32, n: usize) -> i32;
    pub fn wait(tickets: *const u32, n: usize, any: u32, out: *mut u8, max: usize) -> i32;
    pub fn cancel(ticket: u32) -> i32;
    pub fn logits(seq: u32, out: *mut f32, max: usize) -> i32;
    pub fn embed(model: u32, text: *const u8, len: usize, out: *mut f32, max: usize) -> i32;
    pub fn parser_new(model: u32, tools: *const u8, len: usize) -> i32;
    pub fn parser_feed(parser: u32, ids: *const u32, n: usize, out: *mut u8, max: usize) -> i32;
    pub fn parser_free(parser: u32) -> i32;
    pub fn decode(model: u32, ids: *const u32, n: usize, out: *mut u8, max: usize) -> i32;
    pub fn emit(kind: u32, text: *const u8, len: usize) -> i32;
    pub fn tool(name: *const u8, nlen: usize, json: *const u8, len: usize, out: *mut u8, max: usize) -> i32;
    pub fn budget(out: *mut u8, max: usize) -> i32;
    pub fn random(out: *mut u8, n: usize) -> i32;
    pub fn log(level: u32, text: *const u8, len: usize) -> i32;
}
