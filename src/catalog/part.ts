/** What a server says of a file: that of a part must not change while it is downloaded. */
export interface FileVersion {
  /** Bytes. */
  readonly size?: number | undefined;
  /** Its ETag, or else when it was last modified. */
  readonly validator?: string | undefined;
}

/** A file that grows as it is downloaded. */
export interface Part {
  /** Bytes that are there. */
  size(): Promise<number>;
  /** What they are the beginning of, where that is known. */
  readonly version: FileVersion | undefined;
  /** Goes on behind the first `start` bytes; from 0: begins anew. Throws where there is no room for the file. */
  open(start: number, version: FileVersion): Promise<PartWriter>;
  /** Lower-case hex, of all that is there; asked once nothing is written any more. */
  sha256(signal?: AbortSignal): Promise<string>;
  remove(): Promise<void>;
}

export interface PartWriter {
  write(chunk: Uint8Array): Promise<void>;
  /** Keeps what was written; called after a failure too. */
  close(): Promise<void>;
}

/** Whether two answers cannot be of the same file. What a server does not say, or hides from a page, proves nothing. */
export function differs(a: FileVersion, b: FileVersion): boolean {
  const other = (field: keyof FileVersion) => a[field] !== undefined && b[field] !== undefined && a[field] !== b[field];
  return other('size') || other('validator');
}
