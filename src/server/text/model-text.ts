import { openGguf } from '../../gguf/open.ts';
import { chatTemplate } from '../../tokenizer/chat-template.ts';
import { createTokenizer } from '../../tokenizer/create.ts';
import type { ChatTemplate, Tokenizer } from '../../tokenizer/types.ts';

/** The half of a model that is no arithmetic: text to tokens and back. */
export interface ModelText {
  readonly tokenizer: Tokenizer;
  readonly template: ChatTemplate;
  readonly defaults: { readonly system?: string };
}

/** Where another thread gets the same from. Structured-cloneable. */
export interface TextSource {
  readonly path: string;
  readonly system?: string;
}

export async function openModelText({ path, system }: TextSource): Promise<ModelText> {
  const file = await openGguf(path);
  try {
    const tokenizer = createTokenizer(file.metadata);
    return { tokenizer, template: chatTemplate(file.metadata, tokenizer), defaults: { system } };
  } finally {
    await file.close();
  }
}
