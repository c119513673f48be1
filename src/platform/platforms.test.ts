/** Both platforms say the same, where what they say does not depend on the machine. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { digests } from './browser/digests.ts';
import { files } from './browser/files.ts';
import { runningSha256 } from './browser/running-sha256.ts';
import { hex } from './hex.ts';
import { platform as node } from './node/index.ts';

/** The whole of it has a channel, which would keep Node running. */
const browser = { digests, files };

const part = fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.string({ unit: 'grapheme' }));

describe('Node and a browser', () => {
  it('make the same digests', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.array(part), part, (key, parts, last) => {
        assert.equal(browser.digests.hmacText(key, ...parts), node.digests.hmacText(key, ...parts));
        assert.equal(hex(browser.digests.hmac(key, ...parts)), hex(node.digests.hmac(key, ...parts)));
        const both = [browser, node].map(({ digests }) => {
          const digest = digests.sha256();
          for (const each of parts) digest.update(each);
          const copy = digest.copy();
          copy.update(last);
          return [hex(copy.digest()), hex(digest.digest())];
        });
        assert.deepEqual(both[0], both[1]);
      }),
    );
  });

  it('hash what is long, and go on where they were', async () => {
    const bytes = Uint8Array.from({ length: 100_003 }, (_, i) => i * 7);
    const first = await runningSha256();
    first.update(bytes.subarray(0, 70_001));
    const second = await runningSha256(first.state());
    second.update(bytes.subarray(70_001));
    assert.equal(second.digest(), createHash('sha256').update(bytes).digest('hex'));
  });

  it('make the same keystream, however it is taken', () => {
    const counts = fc.array(fc.nat(70), { maxLength: 8 });
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), counts, (key, counts) => {
        const [here, there] = [node, browser].map(({ digests }) => digests.keystream(key));
        for (const count of counts) assert.equal(hex(there!(count)), hex(here!(count)));
      }),
    );
  });

  it('compare bytes', () => {
    for (const { digests } of [browser, node]) {
      assert.equal(digests.equal(Uint8Array.of(1, 2), Uint8Array.of(1, 2)), true);
      assert.equal(digests.equal(Uint8Array.of(1, 2), Uint8Array.of(1, 3)), false);
    }
  });

  it('refuse what a browser has not', async () => {
    await assert.rejects(browser.files.open('model.gguf'), { code: 'model_file_missing' });
    await assert.rejects(browser.files.readText('kernels.json'), { code: 'storage_failed' });
  });
});
