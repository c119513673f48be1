import { findEntry } from '../catalog/catalog.ts';
import { fileUrl, hubUrl } from '../catalog/hub/hub.ts';
import type { CatalogEntry, Source } from '../catalog/types.ts';
import type { ModelDefinition } from './model-slot.ts';
import { localFiles } from './page-files.ts';

/** What a tab may be expected to download and hold. */
const mostBytes = 3e9;

/**
 * Where a browser runs the model itself: the page at `/local/` with the file's address at the hub, which every page may read. Null: the file
 * is no model of the catalog, is not at the hub or too large, or that page was not built.
 */
export function localLink(
  { entry: { source: place } }: Pick<ModelDefinition, 'entry'>,
  env: NodeJS.ProcessEnv = process.env,
): string | null {
  const known = place && 'catalog' in place ? findEntry(place.catalog) : undefined;
  const source = known?.sources.find(isHub);
  if (!known || !source || known.approximateSize > mostBytes || localFiles().size === 0) return null;
  const { repo, revision, path } = source;
  const address = fileUrl({ url: hubUrl(env) }, repo, revision, path);
  return `/local/?${new URLSearchParams({ model: address, ...promised(known), load: '' })}`;
}

const isHub = (source: Source): source is Extract<Source, { kind: 'hub' }> => source.kind === 'hub';

/** What the catalog says of the file. */
function promised({ pin, system }: CatalogEntry): Record<string, string> {
  return { ...(pin && { sha256: pin.sha256 }), ...(system && { system }) };
}
