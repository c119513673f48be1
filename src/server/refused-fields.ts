import { isEmptyList, unsupported } from './fields.ts';

/**
 * Fields of other servers that change an answer and that Realm does not have. They are refused by name unless their
 * value changes nothing; fields that nobody knows are ignored, as OpenAI's clients expect.
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
};

export const refusedFields = { ...vllm, ...llama };
