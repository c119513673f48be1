import type { Backend, Buffer } from '../backend.ts';
import { createReferenceBackend } from '../reference/reference.ts';
import { parity } from './parity.ts';

/** The reference as a device would be: results come back later, and are a little off. */
function distant(): Backend {
  const near = createReferenceBackend();
  const overrides: Partial<Backend> = {
    traits: { exact: false, kvLayout: 'distant', features: near.traits.features },
    run: async preempt => near.run(preempt),
    readTokens: async (tokens, count) => near.readTokens(tokens, count),
    download: async (buffer: Buffer, rows, into) => {
      await near.download(buffer, rows, into);
      into.set(into.subarray(0, rows.length * buffer.columns).map(value => value * (1 + 1e-6)));
    },
    readPage: async (cache, page, target) => near.readPage(cache, page, target),
    writePage: async (cache, page, source) => near.writePage(cache, page, source),
  };
  return new Proxy(near, {
    get(target, key) {
      const value = overrides[key as keyof Backend] ?? target[key as keyof Backend];
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

parity('a distant and inexact backend', distant, { tolerance: 1e-5 });
