import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { readEvents } from './events.ts';

/** A body that comes in pieces of so many bytes. */
function bodyOf(text: string, size: number): ReadableStream<Uint8Array<ArrayBuffer>> {
  const bytes = Uint8Array.from(new TextEncoder().encode(text));
  return new ReadableStream({
    start(controller) {
      for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.slice(at, at + size));
      controller.close();
    },
  });
}

it('reads events however they are cut', async () => {
  const texts = fc.array(fc.string({ unit: 'grapheme' }).map(text => JSON.stringify(text)));
  await fc.assert(
    fc.asyncProperty(texts, fc.integer({ min: 1, max: 9 }), async (texts, size) => {
      const body = texts.map(text => `: a comment\n\nevent: x\ndata: ${text}\n\n`).join('');
      assert.deepEqual(await Array.fromAsync(readEvents(bodyOf(body, size))), texts);
    }),
  );
});

it('joins the lines of one event, and drops what has no end', async () => {
  const body = bodyOf('data: a\ndata: b\r\n\r\ndata: c', 4);
  assert.deepEqual(await Array.fromAsync(readEvents(body)), ['a\nb']);
});
