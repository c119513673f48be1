import { openGguf } from '../../src/gguf/open.ts';
import { createTokenizer } from '../../src/tokenizer/create.ts';
import type { Tokenizer } from '../../src/tokenizer/types.ts';

/** The tokenizer of a model file. */
export async function readTokenizer(path: string): Promise<Tokenizer> {
  const file = await openGguf(path);
  try {
    return createTokenizer(file.metadata);
  } finally {
    await file.close();
  }
}
