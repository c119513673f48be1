/**
 * Q4_K and Q5_K pack eight 6-bit scales and eight 6-bit minimums in 12 bytes. The first four of each fill the low 6 bits of
 * bytes 0-3 and 4-7; the last four have their low nibbles in bytes 8-11 and their top 2 bits in the rest of bytes 0-7.
 */
export function scaleAt(bytes: Uint8Array, at: number, k: number): number {
  if (k < 4) return bytes[at + k] & 63;
  return (bytes[at + k + 4] & 15) | ((bytes[at + k - 4] >> 6) << 4);
}

/** Minimum k of 8; see {@link scaleAt}. */
export function minimumAt(bytes: Uint8Array, at: number, k: number): number {
  if (k < 4) return bytes[at + k + 4] & 63;
  return (bytes[at + k + 4] >> 4) | ((bytes[at + k] >> 6) << 4);
}
