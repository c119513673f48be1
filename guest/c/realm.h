/*
 * The SDK of Realm's ABI v2 for C, in one header: docs/program-abi.md describes each function. Results below 0 are error
 * codes. A program defines `const void *realm_run(const char *input, realm_size len)` and includes this file once:
 *
 *   clang --target=wasm32 -Os -nostdlib -mbulk-memory -Wl,--no-entry -o program.wasm program.c
 */
#ifndef REALM_H
#define REALM_H

typedef unsigned char realm_u8;
typedef unsigned int realm_u32;
typedef __SIZE_TYPE__ realm_size;

#define REALM_IMPORT(name) __attribute__((import_module("realm2"), import_name(#name)))
#define REALM_EXPORT(name) __attribute__((export_name(name)))

/* Codes. */
enum {
  REALM_INVALID_POINTER = -1,
  REALM_INVALID_ARGUMENT = -2,
  REALM_BUFFER_TOO_SMALL = -3,
  REALM_MODEL_NOT_FOUND = -4,
  REALM_CONTEXT_TOO_LONG = -5,
  REALM_GENERATION_FAILED = -6,
  REALM_BUSY = -7,
  REALM_NOT_SUPPORTED = -8,
  REALM_NOT_PERMITTED = -9,
  REALM_NO_HANDLE = -10,
  REALM_LIMIT = -11,
  REALM_SPENT = -12,
  REALM_DEAD_END = -13,
  REALM_OUT_OF_TIME = -14,
  REALM_NOTHING_TO_WAIT_FOR = -15,
  REALM_TOOL_FAILED = -16,
  REALM_TOOL_NOT_FOUND = -17
};

/* Flags of a request. */
enum { REALM_STREAM = 1, REALM_LOGPROBS = 2, REALM_IGNORE_ENDS = 4, REALM_KEEP_END = 8 };
/* Kinds of constraints. */
enum { REALM_JSON_SCHEMA = 1, REALM_REGEX, REALM_GBNF, REALM_LARK, REALM_CHOICE, REALM_TOOLS };
/* Kinds of output. */
enum { REALM_CONTENT, REALM_REASONING, REALM_TOOL_CALL, REALM_EVENT };
/* Why a sequence has ended. */
enum { REALM_END_OF_TEXT, REALM_LENGTH, REALM_STOP_TEXT, REALM_CANCELLED, REALM_FAILED };

/* One sequence of a `submit`; all that is not set is 0. */
typedef struct {
  realm_u32 seq, max_tokens, flags, top_k;
  const realm_u32 *stop_ids;
  realm_u32 stop_ids_n;
  const char *stop_texts; /* a JSON array */
  realm_u32 stop_texts_len;
  const realm_u32 *draft;
  realm_u32 draft_n;
  const realm_u32 *score_ids;
  realm_u32 score_ids_n;
  realm_u32 min_tokens, reserved[3];
} realm_request;

/*
 * What `wait` writes for each sequence: this, then its tokens (u32 each); with log-probabilities also f32 for each token,
 * top_k pairs of (u32, f32) for each, and `scores` f32 for each.
 */
typedef struct {
  realm_u32 ticket, index, seq, reason;
  int error;
  realm_u32 tokens, top_k, scores;
} realm_result;

_Static_assert(sizeof(realm_request) == 64, "a request has 64 bytes");
_Static_assert(sizeof(realm_result) == 32, "a result's head has 32 bytes");

typedef struct {
  realm_u32 token;
  float bias;
} realm_bias;

REALM_IMPORT(last_error) int realm_last_error(char *out, realm_size max);
REALM_IMPORT(model_find) int realm_model_find(const char *name, realm_size len);
REALM_IMPORT(model_info) int realm_model_info(realm_u32 model, char *out, realm_size max);
REALM_IMPORT(seq_new) int realm_seq_new(realm_u32 model);
REALM_IMPORT(seq_free) int realm_seq_free(realm_u32 seq);
REALM_IMPORT(seq_chat) int realm_seq_chat(realm_u32 seq, const char *json, realm_size len);
REALM_IMPORT(seq_text) int realm_seq_text(realm_u32 seq, const char *text, realm_size len, realm_u32 flags);
REALM_IMPORT(seq_push) int realm_seq_push(realm_u32 seq, const realm_u32 *ids, realm_size n);
REALM_IMPORT(seq_fork) int realm_seq_fork(realm_u32 seq, realm_u32 *out, realm_size n);
REALM_IMPORT(seq_truncate) int realm_seq_truncate(realm_u32 seq, realm_size len);
REALM_IMPORT(seq_tokens) int realm_seq_tokens(realm_u32 seq, realm_size from, realm_u32 *out, realm_size max);
REALM_IMPORT(seq_length) int realm_seq_length(realm_u32 seq);
REALM_IMPORT(seq_save) int realm_seq_save(realm_u32 seq, const char *key, realm_size len, realm_u32 ttl_s);
REALM_IMPORT(seq_open) int realm_seq_open(realm_u32 model, const char *key, realm_size len);
REALM_IMPORT(seq_sampler) int realm_seq_sampler(realm_u32 seq, const char *json, realm_size len);
REALM_IMPORT(seq_adapter) int realm_seq_adapter(realm_u32 seq, const char *name, realm_size len);
REALM_IMPORT(seq_bias) int realm_seq_bias(realm_u32 seq, const realm_bias *pairs, realm_size n, realm_u32 sticky);
REALM_IMPORT(seq_mask) int realm_seq_mask(realm_u32 seq, const realm_u32 *bits, realm_size words);
REALM_IMPORT(constraint_new)
int realm_constraint_new(realm_u32 model, realm_u32 kind, const char *source, realm_size len);
REALM_IMPORT(constraint_free) int realm_constraint_free(realm_u32 constraint);
REALM_IMPORT(seq_constrain) int realm_seq_constrain(realm_u32 seq, realm_u32 constraint);
REALM_IMPORT(submit) int realm_submit(const realm_request *requests, realm_size n);
REALM_IMPORT(wait) int realm_wait(const realm_u32 *tickets, realm_size n, realm_u32 any, void *out, realm_size max);
REALM_IMPORT(cancel) int realm_cancel(realm_u32 ticket);
REALM_IMPORT(logits) int realm_logits(realm_u32 seq, float *out, realm_size max);
REALM_IMPORT(embed) int realm_embed(realm_u32 model, const char *text, realm_size len, float *out, realm_size max);
REALM_IMPORT(parser_new) int realm_parser_new(realm_u32 model, const char *tools, realm_size len);
REALM_IMPORT(parser_feed)
int realm_parser_feed(realm_u32 parser, const realm_u32 *ids, realm_size n, char *out, realm_size max);
REALM_IMPORT(parser_free) int realm_parser_free(realm_u32 parser);
REALM_IMPORT(decode) int realm_decode(realm_u32 model, const realm_u32 *ids, realm_size n, char *out, realm_size max);
REALM_IMPORT(emit) int realm_emit(realm_u32 kind, const char *text, realm_size len);
REALM_IMPORT(tool)
int realm_tool(const char *name, realm_size nlen, const char *json, realm_size len, char *out, realm_size max);
REALM_IMPORT(budget) int realm_budget(char *out, realm_size max);
REALM_IMPORT(random) int realm_random(void *out, realm_size n);
REALM_IMPORT(log) int realm_log(realm_u32 level, const char *text, realm_size len);

/* The program. It answers 0, or the address of a text to add to the answer: u32 length, then UTF-8. */
const void *realm_run(const char *input, realm_size len);

REALM_EXPORT("run") const void *realm_start(const char *input, realm_size len) { return realm_run(input, len); }

/* Room that is never given back: a run is short. 0: there is no more. */
REALM_EXPORT("realm_alloc") void *realm_alloc(realm_size len) {
  extern realm_u8 __heap_base;
  static realm_size next;
  const realm_size page = 65536;
  if (!next) next = ((realm_size)&__heap_base + 15) & ~(realm_size)15;
  const realm_size start = next, have = __builtin_wasm_memory_size(0) * page;
  if (len > 0x7fffffff - start) return 0;
  const realm_size end = (start + len + 15) & ~(realm_size)15;
  if (end > have && __builtin_wasm_memory_grow(0, (end - have + page - 1) / page) == (realm_size)-1) return 0;
  next = end;
  return (void *)start;
}

static inline realm_size realm_length(const char *text) {
  realm_size length = 0;
  while (text[length]) length++;
  return length;
}

/* The number at `"key":` in the input; there are no spaces in it. 0: there is none. */
static inline realm_u32 realm_number(const char *json, realm_size len, const char *key) {
  const realm_size size = realm_length(key);
  for (realm_size at = 0; at + size + 3 < len; at++) {
    realm_size same = 0;
    while (same < size && json[at + 1 + same] == key[same]) same++;
    if (json[at] != '"' || same < size || json[at + size + 1] != '"' || json[at + size + 2] != ':') continue;
    realm_u32 value = 0;
    for (at += size + 3; at < len && json[at] >= '0' && json[at] <= '9'; at++) value = 10 * value + (json[at] - '0');
    return value;
  }
  return 0;
}

/* The chat's document for `seq_chat`, which ends where the input ends; it stands behind the options. 0: it is no chat. */
static inline const char *realm_document(const char *input, realm_size len) {
  static const char key[] = ",\"messages\":";
  for (realm_size at = 0; at + sizeof key < len; at++) {
    realm_size same = 0;
    while (same < sizeof key - 1 && input[at + same] == key[same]) same++;
    if (same < sizeof key - 1) continue;
    ((char *)input)[at] = '{';
    return input + at;
  }
  return 0;
}

#endif
