import type { GgufFile } from '../gguf/types.ts';
import { openModelFile as open } from '../llm/open-file.ts';
import { fetchObserver } from './progress.ts';

/** Opens what a user calls a model file, with the progress of a download. */
export async function openModelFile(file: string): Promise<GgufFile> {
  const observer = fetchObserver();
  return open(file, observer).finally(() => observer.stop());
}
