import { maskWords } from '../../constrain/vocabulary.ts';
import { RealmError } from '../../errors.ts';

/** A request's mask of what may come first, without the bits behind the vocabulary. Throws `invalid_request` for another length. */
export function firstMaskOf(mask: Uint32Array, vocabSize: number): Uint32Array {
  const words = maskWords(vocabSize);
  if (mask.length !== words) {
    const message = `first_mask: must have ${words} words of 32 bits, one bit for each of ${vocabSize} tokens, not ${mask.length}`;
    throw new RealmError('invalid_request', message, { param: 'first_mask' });
  }
  const own = mask.slice();
  const behind = words * 32 - vocabSize;
  own[words - 1] = own[words - 1]! & (0xffffffff >>> behind);
  return own;
}
