/* Answers as the model does, and sends each piece of the answer as it comes. */
#include "realm/realm.h"

static realm_u8 result[65536];

const void *realm_run(const char *input, realm_size len) {
  const char *document = realm_document(input, len);
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
