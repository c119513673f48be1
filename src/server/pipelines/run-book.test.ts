import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RunBook } from './run-book.ts';
import { RunTrace } from './trace.ts';

const pipeline = { name: 'p', steps: [] } as unknown as ConstructorParameters<typeof RunTrace>[1];
const run = (id: string, tenant = 'acme') => new RunTrace({ id, tenant }, pipeline);

/** A run that is over at once. */
function keep(book: RunBook, id: string, tenant?: string): RunTrace {
  const made = run(id, tenant);
  const end = book.begin(made);
  made.end();
  end();
  return made;
}

const ids = (book: RunBook, tenant?: string) => book.list(tenant).map(({ id }) => id);

test('so many runs of a tenant are kept, those that run in any case', () => {
  const book = new RunBook({ perTenant: 3 });
  const long = run('long');
  const end = book.begin(long);
  for (const id of ['a', 'b', 'c', 'd']) keep(book, id);
  keep(book, 'other', 'zeta');
  assert.deepEqual(ids(book, 'acme').sort(), ['c', 'd', 'long']);
  assert.deepEqual(ids(book, 'zeta'), ['other']);
  assert.equal(ids(book).length, 4);
  long.end();
  end();
  assert.equal(ids(book, 'acme').length, 3);
});

test('what they take together is bounded', () => {
  const one = JSON.stringify(keep(new RunBook(), 'x')).length;
  const book = new RunBook({ bytesPerTenant: 2.5 * one });
  for (const id of ['a', 'b', 'c', 'd']) keep(book, id);
  assert.deepEqual(ids(book).sort(), ['c', 'd']);
});

test('nothing is kept longer than an hour', () => {
  let now = Date.now();
  const book = new RunBook({ now: () => now });
  keep(book, 'a');
  now += 3_500_000;
  assert.deepEqual(ids(book), ['a']);
  now += 200_000;
  assert.deepEqual(ids(book), []);
  assert.throws(() => book.find('a'), { code: 'request_not_found' });
});

test('a tenant finds its own runs alone', () => {
  const book = new RunBook();
  keep(book, 'a');
  assert.equal(book.find('a', 'acme').id, 'a');
  assert.equal(book.find('a').id, 'a');
  assert.throws(() => book.find('a', 'zeta'), { code: 'request_not_found' });
});
