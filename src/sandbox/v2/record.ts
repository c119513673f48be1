import type { Submitted } from './types.ts';

/** The record that `wait` writes for each sequence: little endian, everything 4 bytes, so it needs no padding. */

export const RECORD_HEADER_BYTES = 32;

export const Reason = { endOfText: 0, length: 1, stopText: 2, cancelled: 3, failed: 4 } as const;

/** Bytes of one token, with log-probabilities where `topK` is a number. */
export function tokenBytes(topK: number | undefined, scores: number): number {
  return topK === undefined ? 4 : 8 + 8 * topK + 4 * scores;
}

/** `topLogprobs` and `scored` as they were asked for: a token with fewer alternatives is filled up with what is impossible. */
export function writeRecord(
  { tokens, reason, stopString, logprobs = [], scores }: Submitted,
  topLogprobs?: number,
  scored = 0,
): Uint8Array<ArrayBuffer> {
  const n = tokens.length;
  const bytes = new Uint8Array(RECORD_HEADER_BYTES + n * tokenBytes(topLogprobs, scored));
  const view = new DataView(bytes.buffer);
  const code = reason === 'stop' ? (stopString === undefined ? Reason.endOfText : Reason.stopText) : Reason[reason];
  writeHeader(view, { reason: code, error: 0, n, topK: topLogprobs ?? 0, scored });
  let at = RECORD_HEADER_BYTES;
  const word = (value: number) => view.setUint32(at, value, true);
  const float = (value: number) => view.setFloat32(at, value, true);
  for (const token of tokens) {
    word(token);
    at += 4;
  }
  if (topLogprobs === undefined) return bytes;
  for (let i = 0; i < n; i++, at += 4) float(logprobs[i]?.logprob ?? Number.NaN);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < topLogprobs; k++, at += 4) {
      const { token, logprob } = logprobs[i]?.top[k] ?? { token: 0, logprob: Number.NEGATIVE_INFINITY };
      word(token);
      at += 4;
      float(logprob);
    }
  }
  for (let i = 0; i < n * scored; i++, at += 4) float(scores?.[i] ?? Number.NaN);
  return bytes;
}

/** Of one without tokens. */
export function emptyRecord(reason: number, error: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(RECORD_HEADER_BYTES);
  writeHeader(new DataView(bytes.buffer), { reason, error, n: 0, topK: 0, scored: 0 });
  return bytes;
}

function writeHeader(
  view: DataView,
  { reason, error, n, topK, scored }: { reason: number; error: number; n: number; topK: number; scored: number },
): void {
  view.setUint32(12, reason, true);
  view.setInt32(16, error, true);
  view.setUint32(20, n, true);
  view.setUint32(24, topK, true);
  view.setUint32(28, scored, true);
}

/** What the place where the program runs needs to know of one. */
export function readRecord(record: Uint8Array): { reason: number; error: number; tokens: Uint32Array } {
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
  const tokens = new Uint32Array(view.getUint32(20, true));
  for (let i = 0; i < tokens.length; i++) tokens[i] = view.getUint32(RECORD_HEADER_BYTES + 4 * i, true);
  return { reason: view.getUint32(12, true), error: view.getInt32(16, true), tokens };
}

/** Whose record it is. */
export function setAddress(record: Uint8Array, ticket: number, index: number, sequence: number): void {
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
  view.setUint32(0, ticket, true);
  view.setUint32(4, index, true);
  view.setUint32(8, sequence, true);
}
