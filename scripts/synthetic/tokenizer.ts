import type { MetaValue } from './gguf-writer.ts';

/** Words whose pieces the vocabulary holds from their first letter on, so that merging reaches the whole word. */
const words =
  'the of and to in is was for that it with as his on be at by this had not are but from or have an they which one you were all her she there would their we him been has when who will no more if out so up said what its about than into them can only other time new some could these two may first then do any like my now over such our man me even most made after also did many off before must well back through years where much your way down should because long each just people how too little state good very make world still see own men work here get both between life being under';

/**
 * A small SentencePiece-style vocabulary of `size` tokens: three special ones, all bytes, printable ASCII, the words above piece by piece,
 * and numbered fillers. llama.cpp loads it as tokenizer model "llama".
 */
export function tokenizerMetadata(size: number): Map<string, MetaValue> {
  const special = ['<unk>', '<s>', '</s>'];
  const bytes = Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, '0')}>`);
  const tokens = new Set([...special, ...bytes, '▁', ...ascii()]);
  if (size < tokens.size) throw new Error(`a vocabulary needs at least ${tokens.size} tokens`);
  for (const piece of [...wordPieces(), ...fillers(size)]) if (tokens.size < size) tokens.add(piece);
  const types = Array.from(tokens, (_, i) => [2, 3, 3][i] ?? (i < 259 ? 6 : 1));
  return new Map<string, MetaValue>([
    ['tokenizer.ggml.model', { type: 'string', value: 'llama' }],
    ['tokenizer.ggml.pre', { type: 'string', value: 'default' }],
    ['tokenizer.ggml.tokens', { array: 'string', values: [...tokens] }],
    ['tokenizer.ggml.scores', { array: 'f32', values: Array.from(tokens, (_, i) => -i) }],
    ['tokenizer.ggml.token_type', { array: 'i32', values: types }],
    ['tokenizer.ggml.bos_token_id', { type: 'u32', value: 1 }],
    ['tokenizer.ggml.eos_token_id', { type: 'u32', value: 2 }],
    ['tokenizer.ggml.unknown_token_id', { type: 'u32', value: 0 }],
    ['tokenizer.ggml.add_bos_token', { type: 'bool', value: true }],
    ['tokenizer.ggml.add_eos_token', { type: 'bool', value: false }],
  ]);
}

function ascii(): string[] {
  return Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i));
}

function wordPieces(): string[] {
  return words.split(' ').flatMap(word => Array.from(word, (_, i) => `▁${word.slice(0, i + 1)}`));
}

function fillers(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `▁w${i.toString(36)}`);
}
