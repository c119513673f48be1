/** The chunks of a stream. Safari's streams are no async iterables. */
export async function* chunksOf(stream: ReadableStream<Uint8Array> | null): AsyncGenerator<Uint8Array, void> {
  const reader = stream?.getReader();
  if (!reader) return;
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
  } finally {
    // Whoever leaves early wants no more of it; a stream that has failed refuses even that.
    await reader.cancel().catch(() => {});
  }
}
