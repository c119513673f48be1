/**
 * Q4_K and Q5_K pack eight 6-bit scales and eight 6-bit minimums in 12 bytes. The first four of each fill the low 6 bits of
 * bytes 0-3 and 4-7; the last four have their low nibbles in bytes 8-11 and their top 2 bits in the rest of bytes 0-7.
 * @param values 8 scales, 8 minimums
 */
export function readSixBits(bytes: Uint8Array, at: number, meaning: Int8Array, values: Int8Array): void {
  for (let k = 0; k < 4; k++) {
    const [scale, minimum, low] = [bytes[at + k], bytes[at + k + 4], bytes[at + k + 8]];
    values[k] = meaning[scale & 63];
    values[k + 4] = meaning[(low & 15) | ((scale >> 6) << 4)];
    values[k + 8] = meaning[minimum & 63];
    values[k + 12] = meaning[(low >> 4) | ((minimum >> 6) << 4)];
  }
}
