import { resolveModel } from '../catalog/resolve.ts';
import { openGguf } from '../gguf/open.ts';
import type { GgufFile } from '../gguf/types.ts';
import { fetchObserver } from './progress.ts';

/** Opens what a user calls a model file: a path, a catalog name (fetched when it is not there), or an http(s) URL. */
export async function openModelFile(file: string): Promise<GgufFile> {
  if (/^https?:\/\//.test(file)) return openGguf(file);
  const observer = fetchObserver();
  const { path } = await resolveModel(file, observer).finally(() => observer.stop());
  return openGguf(path);
}
