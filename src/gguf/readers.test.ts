import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { blobReader } from './blob-reader.ts';
import { openFile } from './file-reader.ts';
import { openHttp } from './http-reader.ts';
import { memoryReader } from './memory-reader.ts';
import type { Reader } from './types.ts';

const content = Uint8Array.from({ length: 100_000 }, (_, i) => (i * 7) % 251);
const folder = mkdtempSync(join(tmpdir(), 'realm-readers-'));
const path = join(folder, 'content');
writeFileSync(path, content);

let server: Server;
let answer: RequestListener = serveRanges;

/** Answers range requests as a static file server does. */
function serveRanges(request: Parameters<RequestListener>[0], response: Parameters<RequestListener>[1]): void {
  const [, from, to] = (/^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []).map(Number);
  assert.ok(from !== undefined && to !== undefined);
  const last = Math.min(to, content.length - 1);
  response.writeHead(206, { 'content-range': `bytes ${from}-${last}/${content.length}`, etag: '"one"' });
  response.end(content.subarray(from, last + 1));
}

before(() => {
  server = createServer((request, response) => answer(request, response));
  return new Promise<void>(done => server.listen(0, '127.0.0.1', done));
});

after(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

const url = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/model.gguf`;

/** Opens `url()` with a server that answers with `listener` from the second request on, or from the first. */
async function against(listener: RequestListener, use: () => Promise<unknown>): Promise<void> {
  answer = listener;
  try {
    await use();
  } finally {
    answer = serveRanges;
  }
}

const open: Record<string, () => Promise<Reader>> = {
  memory: async () => memoryReader(content),
  blob: async () => blobReader(new Blob([content])),
  file: () => openFile(path),
  http: () => openHttp(url()),
};

test('a blob reader takes large pieces, each once, whatever the order in which a layer is asked for', async () => {
  const blob = new Blob([new Uint8Array(20 << 20).fill(7), Uint8Array.of(1, 2, 3)]);
  let slices = 0;
  const slice = blob.slice.bind(blob);
  blob.slice = (...bounds) => {
    slices++;
    return slice(...bounds);
  };
  const reader = blobReader(blob);
  for (let at = 0; at < 16 << 20; at += 2 << 20)
    for (const offset of [at + 1000, at]) assert.equal((await reader.read(offset, 1000))[0], 7);
  const end = new Uint8Array((12 << 20) + 3);
  await reader.readInto(8 << 20, end);
  assert.deepEqual([...end.subarray(-4)], [7, 1, 2, 3]);
  assert.equal(slices, 3);
});

for (const [kind, opened] of Object.entries(open)) {
  test('a memory reader gives plain bytes for a Buffer', async () => {
    const bytes = await memoryReader(Buffer.from(content)).read(1, 4);
    assert.equal(Object.getPrototypeOf(bytes), Uint8Array.prototype);
    assert.deepEqual(bytes, content.subarray(1, 5));
  });

  describe(`the ${kind} reader`, () => {
    test('reads exactly what is asked for', async () => {
      const reader = await opened();
      assert.equal(reader.size, content.length);
      assert.deepEqual(new Uint8Array(await reader.read(1000, 33)), content.slice(1000, 1033));
      assert.equal((await reader.read(5, 0)).length, 0);
      await reader.close();
    });

    test('reads into shared memory', async () => {
      const reader = await opened();
      const target = new Uint8Array(new SharedArrayBuffer(50_010), 10);
      await reader.readInto(50_000, target);
      assert.deepEqual(target.slice(), content.slice(50_000));
      await reader.close();
    });

    test('refuses to read past the end', async () => {
      const reader = await opened();
      await assert.rejects(reader.read(content.length - 3, 4), { code: 'gguf_truncated' });
      await assert.rejects(reader.read(0, 2 ** 40), { code: 'gguf_truncated' });
      await assert.rejects(reader.readInto(content.length - 3, new Uint8Array(4)), { code: 'gguf_truncated' });
      await reader.close();
    });
  });
}

describe('files', () => {
  test('that shrink after they were opened are refused when read', async () => {
    const shrinking = join(folder, 'shrinking');
    writeFileSync(shrinking, content);
    const reader = await openFile(shrinking);
    truncateSync(shrinking, 500);
    assert.equal((await reader.read(0, 500)).length, 500);
    await assert.rejects(reader.read(400, 200), { code: 'gguf_truncated', message: /was cut/ });
    await assert.rejects(reader.readInto(0, new Uint8Array(501)), { code: 'gguf_truncated' });
    await reader.close();
  });

  test('that are missing, or no files, are refused', async () => {
    await assert.rejects(openFile(join(folder, 'none')), { code: 'model_file_missing', message: /no such file/ });
    await assert.rejects(openFile(folder), { code: 'model_file_missing', message: /is not a file/ });
    await assert.rejects(openFile('/dev/null'), { code: 'model_file_missing', message: /is not a file/ });
  });
});

describe('web servers', () => {
  const refused = (code: string, message: RegExp) => assert.rejects(openHttp(url()), { code, message });

  test('that do not honour ranges', () =>
    against(
      (_, response) => response.end(content),
      () => refused('download_failed', /does not honour range/),
    ));

  test('that answer with an error', () =>
    against(
      (_, response) => response.writeHead(404).end(),
      () => refused('download_failed', /answered 404/),
    ));

  test('that do not say how long the file is', () =>
    against(
      (_, response) => response.writeHead(206, { 'content-range': 'bytes 0-0/*' }).end('x'),
      () => refused('download_failed', /range/),
    ));

  test('that cannot be reached', async () => {
    await assert.rejects(openHttp('http://127.0.0.1:1/'), { code: 'download_failed', message: /cannot be fetched/ });
  });

  test('that do not answer in time', () =>
    against(
      () => {},
      () => assert.rejects(openHttp(url(), { timeoutMs: 50 }), { code: 'download_failed' }),
    ));

  test('that send another file later', async () => {
    const reader = await openHttp(url());
    await against(
      (_, response) => response.end(content),
      () => assert.rejects(reader.read(0, 10), { code: 'gguf_truncated', message: /changed/ }),
    );
    await against(
      (_, response) => response.writeHead(206, { 'content-range': 'bytes 0-9/20' }).end('0123456789'),
      () => assert.rejects(reader.read(0, 10), { code: 'gguf_truncated', message: /now has 20/ }),
    );
  });

  test('that send more or fewer bytes than they announce', async () => {
    const reader = await openHttp(url());
    for (const text of ['0123456789 and more', '01234']) {
      await against(
        (_, response) => response.writeHead(206, { 'content-range': `bytes 0-9/${content.length}` }).end(text),
        () => assert.rejects(reader.read(0, 10), { code: 'download_failed', message: /other than 10 bytes/ }),
      );
    }
  });

  test('are sent the headers and the validator', async () => {
    const seen: (string | undefined)[] = [];
    const spy: RequestListener = (request, response) => {
      seen.push(request.headers.authorization, request.headers['if-range'] as string | undefined);
      serveRanges(request, response);
    };
    await against(spy, async () => {
      const reader = await openHttp(url(), { headers: { authorization: 'Bearer x' } });
      await reader.read(0, 10);
    });
    assert.deepEqual(seen, ['Bearer x', undefined, 'Bearer x', '"one"']);
  });
});
