import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isWithin, type Range, ranges } from '../ranges.ts';
import { betterModel, catalog, defaultModel, findEntry, searchCatalog } from './catalog.ts';

const limits: Readonly<Record<string, Range>> = ranges;

describe('the catalog', () => {
  it('names every model and every file once', () => {
    for (const key of ['name', 'file'] as const) {
      const all = catalog.map(entry => entry[key]);
      assert.deepEqual(all, [...new Set(all)]);
    }
    assert.ok(findEntry(defaultModel)?.pin);
  });

  for (const entry of catalog) {
    it(`says of ${entry.name} what whoever chooses wants to know`, () => {
      assert.match(entry.name, /^[a-z0-9.-]+$/);
      assert.ok(entry.description.endsWith('.') && entry.licence !== '' && entry.architecture !== '');
      assert.ok(entry.can.length > 0 && entry.context >= 512);
      // The weights are held in memory.
      assert.ok(entry.memory > entry.approximateSize);
      for (const [field, value] of Object.entries(entry.sampling ?? {}))
        assert.ok(isWithin(value, limits[field]!), field);
      for (const source of entry.sources) if (source.kind === 'hub') assert.ok(source.path.endsWith(entry.file));
    });

    it(`has a whole checksum of ${entry.name}, or none`, () => {
      if (!entry.pin) return assert.ok(entry.sources.every(({ kind }) => kind !== 'wheel'));
      assert.match(entry.pin.sha256, /^[0-9a-f]{64}$/);
      assert.equal(entry.pin.size, entry.approximateSize);
    });
  }

  it('is searched by all of the words', () => {
    assert.deepEqual(
      searchCatalog(['Qwen3.5', '4b']).map(({ name }) => name),
      ['qwen3.5-4b'],
    );
    assert.ok(searchCatalog(['embeddings', 'nomic']).length === 1);
    assert.ok(searchCatalog(['rerank']).some(({ name }) => name === 'qwen3-reranker-0.6b'));
    assert.deepEqual(searchCatalog(['nothing', 'like this']), []);
  });

  it('proposes the largest model that one can chat with', () => {
    const all = new Set(catalog.map(({ architecture }) => architecture));
    assert.equal(betterModel(defaultModel, 1.6e9, all)?.name, 'granite-4.0-h-1b');
    assert.equal(betterModel(defaultModel, 64e9, all)?.name, 'gpt-oss-20b');
    assert.equal(betterModel(defaultModel, 64e9, new Set(['bert'])), undefined);
  });
});
