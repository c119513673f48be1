import { RealmError } from '../../errors.ts';
import type { GgufFile } from '../../gguf/types.ts';
import { describeModel } from '../../model/load.ts';

/** Tokens that one of two vocabularies may have more, as padding. llama.cpp allows as many. */
const mostPadding = 128;

/** A draft model must mean the same by every token, and keep nothing but keys and values. Throws `draft_invalid`. */
export function checkDraft(file: GgufFile, draft: GgufFile): void {
  if (describeModel(draft).cache.some(layer => 'stateSize' in layer))
    throw invalid('its layers keep a state, which a wrong guess would change');
  const [tokens, drafted] = [tokensOf(file), tokensOf(draft)];
  const shared = Math.min(tokens.length, drafted.length);
  for (let token = 0; token < shared; token++) {
    if (tokens[token] !== drafted[token]) throw invalid(`token ${token} is not the same in both vocabularies`);
  }
  if (shared === 0 || Math.max(tokens.length, drafted.length) - shared > mostPadding) {
    throw invalid(`it has ${drafted.length} tokens, and the model has ${tokens.length}`);
  }
}

function tokensOf({ metadata }: GgufFile): ArrayLike<unknown> {
  const tokens = metadata.get('tokenizer.ggml.tokens');
  return Array.isArray(tokens) ? tokens : [];
}

function invalid(problem: string): RealmError {
  return new RealmError(
    'draft_invalid',
    `the draft model cannot guess for this model: ${problem}; use one of the same family`,
  );
}
