/**
 * Limits against hostile files. A count is also checked against the bytes that remain in the file before anything is allocated;
 * these limits bound what a large file may still ask for. The largest real headers (a vocabulary of 262,144 tokens with 514,906 merges)
 * take under 20 MB.
 */
export const limits = {
  /** Bytes before the tensor data; keeps parsing well under a second. */
  headerBytes: 128 * 2 ** 20,
  /** Metadata keys; real files have under 100. A Map entry costs several times its bytes in the file. */
  keys: 65_536,
  /** Tensors of one file; the largest real models have a few thousand. A description costs about 8 times its bytes in the file. */
  tensors: 65_536,
  /** Elements of all arrays together: a string or a boolean in an array costs 8 bytes even when it takes one in the file. */
  arrayElements: 8 * 2 ** 20,
  /** Arrays within arrays, all together: an empty one is 12 bytes in the file and about 250 in memory. */
  nestedArrays: 65_536,
  /** Arrays within arrays within …: the parser recurses. */
  arrayDepth: 4,
  /** Bytes of a string; the longest real ones are chat templates of about 30 kB. */
  stringBytes: 16 * 2 ** 20,
  /** Bytes of a metadata key, as the GGUF specification has it. */
  keyBytes: 65_535,
  /** Bytes of a tensor's name; the specification says 64, some writers take more. */
  nameBytes: 255,
  /** Dimensions of a tensor, as in ggml (GGML_MAX_DIMS). */
  dimensions: 4,
  /** Files of one split model; each is an open file. */
  splits: 1024,
} as const;
