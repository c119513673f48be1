import { asRealmError, RealmError } from '../errors.ts';
import { openGguf } from '../gguf/open.ts';
import type { FileSource, Metadata } from '../gguf/types.ts';
import type { OutputFormat } from '../output-format/types.ts';
import { brokenTemplate, chatTemplate } from '../tokenizer/chat-template.ts';
import { createTokenizer } from '../tokenizer/create.ts';
import type { ChatTemplate, Tokenizer } from '../tokenizer/types.ts';
import { findOutputFormat } from './output-format.ts';

/** The half of a model that is no arithmetic: text to tokens and back. */
export interface ModelText {
  readonly tokenizer: Tokenizer;
  readonly template: ChatTemplate;
  readonly defaults: { readonly system?: string };
  /** How it writes thoughts and calls of tools. */
  readonly format: OutputFormat;
}

/** Where another thread gets the same from. Structured-cloneable. */
export interface TextSource {
  readonly path: string;
  readonly system?: string;
  /** The operator's, instead of the file's. */
  readonly template?: string;
}

/** A model that has text to work on. */
export interface TextModel extends ModelText {
  readonly id: string;
  /** Absent: all of its work is done where it comes up. */
  readonly textSource?: TextSource;
}

/** What is not the file's own: see {@link TextSource}. */
type TextOptions = Omit<TextSource, 'path'>;

export async function openModelText(
  source: FileSource,
  { system, template: own }: TextOptions = {},
  warn?: (message: string) => void,
): Promise<ModelText> {
  const file = await openGguf(source);
  try {
    const tokenizer = createTokenizer(file.metadata, warn);
    const template = readTemplate(file.metadata, tokenizer, own);
    return { tokenizer, template, defaults: { system }, format: findOutputFormat(template, tokenizer) };
  } finally {
    await file.close();
  }
}

/** A template that the operator gives must be right; with a wrong one in the file, all but chats is answered. */
function readTemplate(metadata: Metadata, tokenizer: Tokenizer, source: string | undefined): ChatTemplate {
  try {
    return chatTemplate(metadata, tokenizer, { source });
  } catch (cause) {
    const error = asRealmError(cause);
    if (source === undefined) return brokenTemplate(error);
    throw new RealmError(error.code, `models[].chat_template: ${error.message}`, { cause });
  }
}
