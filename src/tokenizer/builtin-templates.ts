/**
 * Chat templates for files that have none, by the name that people know them by. Each says when it is chosen: by tokens
 * that only its models have. They carry the format and no more: no tools, no dates, no default system prompt.
 */
export interface BuiltinTemplate {
  /** Special tokens that a vocabulary must have, all of them. */
  readonly tokens: readonly string[];
  readonly source: string;
}

/** Two turns of one role would confuse models without a system role: it goes into the first user turn. */
const systemIntoUser = `{% if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] | trim + '\\n\\n' %}{% set turns = messages[1:] %}{% else %}{% set system = '' %}{% set turns = messages %}{% endif %}`;

/** In order of preference. */
export const builtinTemplates = {
  chatml: {
    tokens: ['<|im_start|>', '<|im_end|>'],
    source: `{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}`,
  },
  llama3: {
    tokens: ['<|start_header_id|>', '<|eot_id|>'],
    source: `{{ bos_token }}{% for message in messages %}{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}`,
  },
  gemma: {
    tokens: ['<start_of_turn>', '<end_of_turn>'],
    source: `{{ bos_token }}${systemIntoUser}{% for message in turns %}{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}{{ '<start_of_turn>' + role + '\\n' + (system if loop.first else '') + message['content'] | trim + '<end_of_turn>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}`,
  },
  phi3: {
    tokens: ['<|user|>', '<|assistant|>', '<|end|>'],
    source: `{% for message in messages %}{{ '<|' + message['role'] + '|>\\n' + message['content'] + '<|end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}`,
  },
  mistral: {
    tokens: ['[INST]', '[/INST]'],
    source: `{{ bos_token }}${systemIntoUser}{% for message in turns %}{% if message['role'] == 'assistant' %}{{ ' ' + message['content'] | trim + eos_token }}{% else %}{{ '[INST] ' + (system if loop.first else '') + message['content'] | trim + ' [/INST]' }}{% endif %}{% endfor %}`,
  },
  'command-r': {
    tokens: ['<|START_OF_TURN_TOKEN|>', '<|END_OF_TURN_TOKEN|>'],
    source: `{{ bos_token }}{% for message in messages %}{% set role = 'CHATBOT' if message['role'] == 'assistant' else message['role'] | upper %}{{ '<|START_OF_TURN_TOKEN|><|' + role + '_TOKEN|>' + message['content'] | trim + '<|END_OF_TURN_TOKEN|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>' }}{% endif %}`,
  },
  deepseek: {
    tokens: ['<｜User｜>', '<｜Assistant｜>'],
    source: `{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}{{ '<｜User｜>' + message['content'] }}{% elif message['role'] == 'assistant' %}{{ '<｜Assistant｜>' + message['content'] + eos_token }}{% else %}{{ message['content'] }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<｜Assistant｜>' }}{% endif %}`,
  },
  zephyr: {
    tokens: ['<|user|>', '<|assistant|>'],
    source: `{% for message in messages %}{{ '<|' + message['role'] + '|>\\n' + message['content'] + eos_token + '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}`,
  },
  /** Has no tokens of its own: see {@link builtinFor}. */
  llama2: {
    tokens: [],
    source: `{% if messages[0]['role'] == 'system' %}{% set system = '<<SYS>>\\n' + messages[0]['content'] | trim + '\\n<</SYS>>\\n\\n' %}{% set turns = messages[1:] %}{% else %}{% set system = '' %}{% set turns = messages %}{% endif %}{% for message in turns %}{% if message['role'] == 'assistant' %}{{ ' ' + message['content'] | trim + ' ' + eos_token }}{% else %}{{ bos_token + '[INST] ' + (system if loop.first else '') + message['content'] | trim + ' [/INST]' }}{% endif %}{% endfor %}`,
  },
} as const satisfies Record<string, BuiltinTemplate>;

export type BuiltinName = keyof typeof builtinTemplates;

/**
 * The built-in template for a model: the first whose tokens the vocabulary has; `llama2` for a llama with a
 * SentencePiece vocabulary, which has no tokens for turns; `chatml`, which most models have seen, for all others.
 */
export function builtinFor(
  hasToken: (text: string) => boolean,
  architecture: unknown,
  tokenizerModel: unknown,
): BuiltinName {
  for (const [name, { tokens }] of Object.entries(builtinTemplates)) {
    if (tokens.length > 0 && tokens.every(hasToken)) return name as BuiltinName;
  }
  return architecture === 'llama' && tokenizerModel === 'llama' ? 'llama2' : 'chatml';
}
