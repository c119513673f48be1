/** A thread that compiles constraints, or lays out a vocabulary for them. Messages are typed in compile-thread.ts. */
import { platform } from '#platform';
import { packVocabulary } from '../../constrain/portable.ts';
import { asRealmError } from '../../errors.ts';
import { openGguf } from '../../gguf/open.ts';
import type { FileSource } from '../../gguf/types.ts';
import type { ThreadPort } from '../../platform/platform.ts';
import { createTokenizer } from '../../tokenizer/create.ts';
import { failure } from '../failure.ts';
import type { CompilerData, FromCompiler, ToCompiler } from './compile-thread.ts';
import { compileAway, wordsOf } from './compiler.ts';

const { thread } = platform;
const data = thread?.data as CompilerData | undefined;
if (thread && data?.compiler) void serve(thread, data.compiler);

async function serve(port: ThreadPort, { vocabularyOf: file }: CompilerData['compiler']): Promise<void> {
  const answer = async (work: () => FromCompiler | Promise<FromCompiler>): Promise<void> => {
    try {
      port.post(await work());
    } catch (error) {
      port.post({ kind: 'failed', failure: failure(asRealmError(error)) } satisfies FromCompiler);
    }
  };
  if (file !== undefined) return answer(async () => ({ kind: 'vocabulary', ...(await readVocabulary(file)) }));
  port.onMessage(message =>
    answer(() => {
      const { source, control } = message as ToCompiler;
      return { kind: 'compiled', grammar: compileAway(source, control) };
    }),
  );
  port.post({ kind: 'ready' } satisfies FromCompiler);
}

async function readVocabulary(source: FileSource) {
  const file = await openGguf(source);
  try {
    const { vocabulary, control } = wordsOf(createTokenizer(file.metadata));
    return { vocabulary: packVocabulary(vocabulary), control };
  } finally {
    await file.close();
  }
}
