/* Passes a chat on to its model and streams the answer: what a program of your own may begin with. */
#include "../../c/realm.h"

/* The chat's document stands behind the options: {"kind":..,"model":..,"options":{..},"messages":..}. */
static const char *document_of(char *input, realm_size len) {
  static const char key[] = "\"messages\":";
  for (realm_size at = 1; at + sizeof key < len; at++) {
    realm_size same = 0;
    while (same < sizeof key - 1 && input[at + same] == key[same]) same++;
    if (same < sizeof key - 1) continue;
    input[at - 1] = '{';
    return input + at - 1;
  }
  return 0;
}

static realm_u8 result[65536];

const void *realm_run(const char *input, realm_size len) {
  const char *document = document_of((char *)input, len);
  const int seq = realm_seq_new(realm_number(input, len, "model"));
  if (!document || seq < 0) __builtin_trap();
  if (realm_seq_chat(seq, document, input + len - document) < 0) __builtin_trap();
  const realm_request request = {
      .seq = seq, .max_tokens = realm_number(input, len, "max_tokens"), .flags = REALM_STREAM};
  const realm_u32 ticket = realm_submit(&request, 1);
  if (realm_wait(&ticket, 1, 0, result, sizeof result) < 0) __builtin_trap();
  realm_seq_free(seq);
  return 0;
}
