/** Blocks of 32 weights as ggml quantises them to Q8_0: the largest becomes 127, halves are rounded away from zero. */
export function encodeQ8(values: Float32Array): Uint8Array {
  const [count, blockBytes] = [32, 34];
  const bytes = new Uint8Array((values.length / count) * blockBytes);
  const view = new DataView(bytes.buffer);
  for (let block = 0; block < values.length / count; block++) {
    const x = values.subarray(block * count, (block + 1) * count);
    const scale = Math.fround(x.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 127);
    const inverse = scale === 0 ? 0 : Math.fround(1 / scale);
    view.setFloat16(block * blockBytes, scale, true);
    x.forEach((value, i) => {
      const scaled = Math.fround(value * inverse);
      view.setInt8(block * blockBytes + 2 + i, Math.sign(scaled) * Math.floor(Math.abs(scaled) + 0.5));
    });
  }
  return bytes;
}
