import type { FetchOptions } from '../catalog/fetch.ts';
import { resolveModel } from '../catalog/resolve.ts';
import { openGguf } from '../gguf/open.ts';
import type { GgufFile } from '../gguf/types.ts';

/** Opens what a user calls a model file: a path, a catalog name (fetched when it is not there), or an http(s) URL. */
export async function openModelFile(file: string, options?: FetchOptions): Promise<GgufFile> {
  if (/^https?:\/\//.test(file)) return openGguf(file);
  const { path } = await resolveModel(file, options);
  return openGguf(path);
}
