/** An f16 in pieces: its nibbles, lowest first, are the highest of four words of 16 bits. */
export function halfOfNibbles(view: DataView, at: number): number {
  let bits = 0;
  for (let i = 0; i < 4; i++) bits |= (view.getUint8(at + 2 * i + 1) >> 4) << (4 * i);
  half.setUint16(0, bits);
  return half.getFloat16(0);
}

export function setHalfNibbles(view: DataView, at: number, value: number): void {
  half.setFloat16(0, value);
  const bits = half.getUint16(0);
  for (let i = 0; i < 4; i++) {
    const byte = at + 2 * i + 1;
    view.setUint8(byte, (view.getUint8(byte) & 15) | (((bits >> (4 * i)) & 15) << 4));
  }
}

const half = new DataView(new ArrayBuffer(2));
