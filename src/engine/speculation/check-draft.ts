import { RealmError } from '../../errors.ts';
import type { GgufFile } from '../../gguf/types.ts';

/** Tokens that one of two vocabularies may have more, as padding. llama.cpp allows as many. */
const mostPadding = 128;

/** A draft model must mean the same by every token. Throws `draft_invalid`. */
export function checkDraft(file: GgufFile, draft: GgufFile): void {
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
