import { chatModels } from './entries/chat.ts';
import { edgeModels } from './entries/edge.ts';
import { searchModels } from './entries/search.ts';
import type { CatalogEntry } from './types.ts';

/** Known models. Those of architectures that Realm cannot run yet are refused when they are loaded. */
export const catalog: readonly CatalogEntry[] = [...chatModels, ...edgeModels, ...searchModels];

export const defaultModel = 'smollm2-135m';

export function findEntry(name: string, entries: readonly CatalogEntry[] = catalog): CatalogEntry | undefined {
  return entries.find(entry => entry.name === name.toLowerCase());
}

/** Entries that have every one of the words in their name, their description, their family or in what they can do. */
export function searchCatalog(words: readonly string[]): CatalogEntry[] {
  const wanted = words.flatMap(word => word.toLowerCase().split(/\s+/));
  return catalog.filter(({ name, description, architecture, can }) => {
    const text = [name, description, architecture, ...can].join(' ').toLowerCase();
    return wanted.every(word => text.includes(word));
  });
}

/** The largest model to chat with after `current` that `memory` bytes hold and whose architecture is in `runnable`. */
export function betterModel(current: string, memory: number, runnable: ReadonlySet<string>): CatalogEntry | undefined {
  const floor = findEntry(current)?.memory ?? Number.POSITIVE_INFINITY;
  return catalog
    .filter(entry => entry.memory > floor && entry.memory <= memory)
    .filter(entry => entry.can.includes('chat') && runnable.has(entry.architecture))
    .reduce<CatalogEntry | undefined>((best, entry) => (best && best.memory >= entry.memory ? best : entry), undefined);
}
