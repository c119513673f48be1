import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { post, scripted } from './scripted.ts';

const chat = '/v1/chat/completions';
const says = (text: string) => ({ answer: () => text });
const body = JSON.stringify({ messages: [{ role: 'user', content: 'Hi' }] });

function packed(encoding: string, bytes: Uint8Array): Request {
  const headers = { 'content-encoding': encoding, 'content-length': String(bytes.length) };
  return post(chat, '', { body: new Uint8Array(bytes), headers });
}

const encodings = {
  gzip: gzipSync,
  'X-GZIP': gzipSync,
  deflate: deflateSync,
  br: brotliCompressSync,
  zstd: zstdCompressSync,
};

for (const [encoding, pack] of Object.entries(encodings)) {
  test(`a body in ${encoding} is decoded; the limit holds for what comes out`, async () => {
    const { app } = scripted(says('x'));
    assert.equal((await app.fetch(packed(encoding, pack(body)))).status, 200);
    const bomb = await app.fetch(packed(encoding, pack(Buffer.alloc(8_000_000))));
    assert.equal(bomb.status, 413);
    assert.equal((await bomb.json()).error.code, 'body_too_large');
    const wrong = await app.fetch(packed(encoding, Buffer.from(body)));
    assert.equal(wrong.status, 400);
    assert.match((await wrong.json()).error.message, /^The body is not /);
    const cut = await app.fetch(packed(encoding, pack(body).subarray(0, 20)));
    assert.equal(cut.status, 400);
  });
}

test('no encoding is none; an unknown one, or several, are refused', async () => {
  const { app } = scripted(says('x'));
  assert.equal((await app.fetch(packed('identity', Buffer.from(body)))).status, 200);
  for (const encoding of ['compress', 'gzip, br', 'utf-8']) {
    const response = await app.fetch(packed(encoding, gzipSync(body)));
    assert.equal(response.status, 415);
    assert.equal((await response.json()).error.code, 'encoding_unsupported');
  }
});
