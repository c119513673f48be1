/** What a token is, by the numbers of `tokenizer.ggml.token_type` (GGUF specification). */
export const kinds = { undefined: 0, normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

/** Whether plain text may become a token of this kind: never a control token, whatever a user writes. */
export function isOrdinary(kind: number | undefined): boolean {
  return kind !== kinds.control && kind !== kinds.unknown && kind !== kinds.byte;
}
