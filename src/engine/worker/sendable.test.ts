import assert from 'node:assert/strict';
import { openAsBlob } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sendable } from './sendable.ts';

test('what a model is read from crosses to another thread, all files of it too', async () => {
  const file = await openAsBlob(fileURLToPath(import.meta.url));
  const sent = await sendable([file, new Blob(['a'])]);
  assert.ok(Array.isArray(sent));
  assert.equal((sent[0] as Uint8Array).length, file.size);
  assert.doesNotThrow(() => structuredClone(sent));
  assert.equal(await sendable(new URL('https://a/b')), 'https://a/b');
});
