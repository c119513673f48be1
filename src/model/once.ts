/**
 * What is made when it is first asked for: work buffers, after the first layer's tensors have borne out the sizes that the file's
 * metadata claim.
 */
export function once<T extends object>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
