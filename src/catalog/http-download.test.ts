import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { downloadHttp } from './http-download.ts';
import { differs, type FileVersion, type Part } from './part.ts';

const content = Uint8Array.from({ length: 100_000 }, (_, i) => (i * 7) % 251);
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** A part in memory, which some other try may have begun. */
class MemoryPart implements Part {
  bytes: Uint8Array;
  version: FileVersion | undefined;

  constructor(bytes = new Uint8Array(), version?: FileVersion) {
    this.bytes = bytes;
    this.version = version;
  }

  size = async () => this.bytes.length;
  sha256 = async () => sha256(this.bytes);
  remove = async () => {
    this.bytes = new Uint8Array();
    this.version = undefined;
  };

  async open(start: number, version: FileVersion) {
    this.bytes = this.bytes.slice(0, start);
    if (start === 0) this.version = version;
    return {
      write: async (chunk: Uint8Array) => {
        this.bytes = Buffer.concat([this.bytes, chunk]);
      },
      close: async () => {},
    };
  }
}

let answer: RequestListener;
const server = createServer((request, response) => answer(request, response));
const ranges: (string | undefined)[] = [];

/** What a static file server does with this content. */
function serve(bytes: Uint8Array, headers: Record<string, string> = {}): RequestListener {
  return (request, response) => {
    ranges.push(request.headers.range);
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    if (start > 0) response.setHeader('content-range', `bytes ${start}-${bytes.length - 1}/${bytes.length}`);
    response.writeHead(start > 0 ? 206 : 200, { 'content-length': bytes.length - start, ...headers });
    response.end(bytes.subarray(start));
  };
}

function download(part: Part, more: Partial<Parameters<typeof downloadHttp>[0]> = {}) {
  ranges.length = 0;
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/model.gguf`;
  return downloadHttp({ url, part, onProgress: () => {}, retryMs: 1, ...more });
}

before(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
after(() => server.close());

describe('a download of a file that nobody has described', () => {
  const known = { size: content.length, validator: '"one"' };

  it('has the length that the server says', async () => {
    answer = serve(content, { etag: '"one"' });
    const part = new MemoryPart();
    const totals = new Set<number | undefined>();
    const found = await download(part, { onProgress: (_, total) => totals.add(total) });
    assert.deepEqual(found, { size: content.length, sha256: sha256(content) });
    assert.deepEqual(part.version, known);
    assert.deepEqual([...totals], [content.length]);
  });

  it('goes on with the same version of it', async () => {
    answer = serve(content, { etag: '"one"' });
    const part = new MemoryPart(content.slice(0, 30_000), known);
    assert.equal((await download(part)).sha256, sha256(content));
    assert.deepEqual(ranges, ['bytes=30000-']);
  });

  for (const [what, version] of [
    ['tag', { size: content.length, validator: '"two"' }],
    ['length', { size: content.length + 1, validator: '"one"' }],
  ] as const) {
    it(`is begun anew where another ${what} says that it is another`, async () => {
      answer = serve(content, { etag: '"one"' });
      const part = new MemoryPart(new Uint8Array(30_000), version);
      let changes = 0;
      assert.equal((await download(part, { onChange: () => changes++ })).sha256, sha256(content));
      assert.deepEqual(ranges, ['bytes=30000-', undefined]);
      assert.equal(changes, 1);
    });
  }

  it('is forgotten where it is shorter by now', async () => {
    answer = (_, response) => response.writeHead(416).end();
    const part = new MemoryPart(new Uint8Array(30_000), { size: content.length });
    await assert.rejects(download(part), { code: 'download_failed', message: /shorter than it was; try again/ });
    assert.equal(part.bytes.length, 0);
  });

  it('of unknown length is never gone on with', async () => {
    answer = (request, response) => {
      ranges.push(request.headers.range);
      response.writeHead(200).end(content);
    };
    const part = new MemoryPart(new Uint8Array(30_000), {});
    assert.equal((await download(part)).sha256, sha256(content));
    assert.deepEqual(ranges, [undefined]);
  });

  it('is checked against what is known of it', async () => {
    answer = serve(content);
    const part = new MemoryPart();
    await assert.rejects(download(part, { pin: { sha256: '0'.repeat(64) } }), { code: 'checksum_mismatch' });
    assert.equal(part.bytes.length, 0);
  });

  it('asks nothing where it is whole', async () => {
    const part = new MemoryPart(content, known);
    assert.equal((await download(part)).sha256, sha256(content));
    assert.deepEqual(ranges, []);
  });
});

describe('versions of a file', () => {
  it('differ only by what both sides say', () => {
    assert.equal(differs({ size: 1 }, { validator: 'a' }), false);
    assert.equal(differs({ size: 1, validator: 'a' }, { size: 1, validator: 'b' }), true);
    assert.equal(differs({ size: 1 }, { size: 2 }), true);
  });
});
