import { ignored, isEmptyList, unsupported } from './fields.ts';

/**
 * Fields of other servers that change an answer and that Realm does not have. They are refused by name unless their
 * value changes nothing; beside them stand those that change none. Fields that nobody knows are ignored, as OpenAI's
 * clients expect.
 */

const is = (...values: unknown[]) => unsupported(value => values.includes(value));

/** Of vLLM. */
const vllm = {
  use_beam_search: is(false),
  length_penalty: is(1),
  include_stop_str_in_output: is(false),
  allowed_token_ids: unsupported(isEmptyList),
  bad_words: unsupported(isEmptyList),
  truncate_prompt_tokens: unsupported(),
  prompt_logprobs: unsupported(),
  logits_processors: unsupported(isEmptyList),
  skip_special_tokens: is(true),
  spaces_between_special_tokens: is(true),
  add_special_tokens: unsupported(),
  return_token_ids: is(false),
  return_tokens_as_token_ids: is(false),
  prompt_embeds: unsupported(),
  guided_whitespace_pattern: unsupported(),
  vllm_xargs: unsupported(),
  cache_salt: ignored(),
  request_id: ignored(),
  guided_decoding_backend: ignored(),
};

/** Of SGLang. */
const sglang = {
  regex: unsupported(),
  ebnf: unsupported(),
  stop_regex: unsupported(isEmptyList),
  min_new_tokens: is(0),
  no_stop_trim: is(false),
};

/** Of llama-server. */
const llama = {
  typical_p: is(1),
  top_n_sigma: is(-1, 0),
  mirostat: is(0),
  xtc_probability: is(0),
  dry_multiplier: is(0),
  dynatemp_range: is(0),
  n_probs: is(0),
  samplers: unsupported(isEmptyList),
  adaptive_target: is(-1),
  min_keep: is(0),
  n_indent: is(0),
  t_max_predict_ms: is(0, -1),
  lora: unsupported(isEmptyList),
  return_tokens: is(false),
  post_sampling_probs: is(false),
  response_fields: unsupported(isEmptyList),
  // Numbers of what is refused itself.
  mirostat_tau: ignored(),
  mirostat_eta: ignored(),
  xtc_threshold: ignored(),
  dry_base: ignored(),
  dry_allowed_length: ignored(),
  dry_penalty_last_n: ignored(),
  dry_sequence_breakers: ignored(),
  dynatemp_exponent: ignored(),
  /** A full context ends the answer. */
  n_keep: ignored(),
  cache_prompt: ignored(),
  id_slot: ignored(),
  timings_per_token: ignored(),
  return_progress: ignored(),
};

export const refusedFields = { ...vllm, ...sglang, ...llama };
