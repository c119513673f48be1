import type { Sampling } from '../engine/request.ts';
import { asRealmError, RealmError } from '../errors.ts';
import { openGguf } from '../gguf/open.ts';
import type { FileSource, Metadata } from '../gguf/types.ts';
import type { OutputFormat } from '../output-format/types.ts';
import { brokenTemplate, chatTemplate } from '../tokenizer/chat-template.ts';
import { createTokenizer } from '../tokenizer/create.ts';
import type { ChatTemplate, Tokenizer } from '../tokenizer/types.ts';
import { findOutputFormat } from './output-format.ts';
import { recommendedSampling } from './recommended-sampling.ts';

/** The half of a model that is no arithmetic: text to tokens and back. */
export interface ModelText {
  readonly tokenizer: Tokenizer;
  readonly template: ChatTemplate;
  /** For what a request leaves open; the sampling is what the file recommends. */
  readonly defaults: { readonly system?: string | undefined; readonly sampling?: Sampling };
  /** How it writes thoughts and calls of tools. */
  readonly format: OutputFormat;
  /** The format of calls that it is told, where that is not its template's. */
  readonly toolFormat?: string | undefined;
  /** How a query and a document are put to a model that ranks, with `{query}` and `{document}` in it; absent: as a pair of texts. */
  readonly rankTemplate?: string | undefined;
}

/** Where another thread gets the same from. Structured-cloneable. */
export interface TextSource {
  readonly path: string;
  readonly system?: string | undefined;
  /** The operator's, instead of the file's. */
  readonly template?: string | undefined;
  /** The format of calls that it is told, whatever its template knows. */
  readonly toolFormat?: string | undefined;
}

/** A model that has text to work on. */
export interface TextModel extends ModelText {
  readonly id: string;
  /** Absent: all of its work is done where it comes up. */
  readonly textSource?: TextSource | undefined;
}

/** What is not the file's own: see {@link TextSource}. */
type TextOptions = Omit<TextSource, 'path'>;

export async function openModelText(
  source: FileSource,
  { system, template: own, toolFormat }: TextOptions = {},
  warn?: (message: string) => void,
): Promise<ModelText> {
  const file = await openGguf(source);
  try {
    const tokenizer = createTokenizer(file.metadata, warn);
    const template = readTemplate(file.metadata, tokenizer, own);
    const format = findOutputFormat(template, tokenizer, toolFormat);
    const rankTemplate = file.metadata.get('tokenizer.chat_template.rerank');
    return {
      ...{ tokenizer, template, format, toolFormat },
      defaults: { system, sampling: recommendedSampling(file.metadata) },
      ...(typeof rankTemplate === 'string' && { rankTemplate }),
    };
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
