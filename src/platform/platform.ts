/**
 * All that differs between Node and a browser. Nothing else below `src/catalog/` knows where it runs: it imports `#platform`,
 * which package.json resolves to `node/` or `browser/`.
 */
export interface Platform {
  /** Processors that this process may use; 1 where a thread may not wait for others. */
  availableParallelism(): number;
  /** Threads can share memory; without it a model has one thread, whose memories are its own. */
  readonly sharesMemory: boolean;
  /** Starts a thread with a module; it finds `data` in its {@link Platform.thread}. */
  startThread(module: ThreadModule, data: unknown, options?: ThreadOptions): Thread;
  /** Of a thread that {@link Platform.startThread} started: its end. */
  readonly thread: ThreadPort | undefined;
  /** Loads a module that only its user knows. */
  importModule(url: string): Promise<unknown>;
  /** Resolves when the event loop has gone round: what was posted, and what was due, has been handled. */
  nextTurn(): Promise<void>;
  /** Calls in a later turn of the event loop, in order; whatever `work` leaves to microtasks is over before the next one. */
  later(work: () => void): void;
  readonly files: Files;
  readonly digests: Digests;
  /** Compiles kernels; `revectorize`: so that pairs of 128-bit operations become one of 256, where {@link Platform.revectorizes}. */
  compile(bytes: Uint8Array<ArrayBuffer>, revectorize: boolean): WebAssembly.Module;
  readonly revectorizes: boolean;
  /** What WebGPU has; no adapter where there is no WebGPU. */
  gpus(): Promise<Gpus>;
  machine(): Promise<MachineInfo>;
  /** Bytes of memory that this process may still take, where it can be known. */
  availableMemory(): number | undefined;
  /** Bytes of this thread's heap, where it can be known. */
  heapBytes(): number | undefined;
  /** Bytes of a text in UTF-8. */
  utf8Length(text: string): number;
  /** A setting of the environment. */
  setting(name: string): string | undefined;
}

export interface Gpus {
  /** The fastest first. Each is good for one device. */
  readonly adapters: readonly GPUAdapter[];
  /** What WGSL has beyond its first version: `packed_4x8_integer_dot_product`. */
  readonly language: ReadonlySet<string>;
}

/**
 * The module that a thread begins with, and who names it (`import.meta.url`). Not a URL of both: bundlers would take that for a
 * file of its own. A browser's threads all begin with one file, in which `data` says who does the work.
 */
export interface ThreadModule {
  readonly file: string;
  readonly from: string;
}

export interface ThreadOptions {
  /** Most megabytes for objects that die young. */
  readonly youngHeapMb?: number;
}

/** A thread, as the one that started it has it. */
export interface Thread {
  post(message: unknown): void;
  onMessage(listener: (message: unknown) => void): void;
  /** Called once: `failed: …`, `ended (1)`. */
  onEnd(listener: (reason: string) => void): void;
  /** The process may end while it runs. */
  unref(): void;
  terminate(): Promise<void>;
  /** Milliseconds that it has computed, however busy the machine was with others; 0 where nobody knows. Rejects once it has ended. */
  cpuMs(): Promise<number>;
}

export interface ThreadPort {
  readonly data: unknown;
  post(message: unknown): void;
  onMessage(listener: (message: unknown) => void): void;
}

/** Files by their paths. A system without them throws `model_file_missing` or `storage_failed`. */
export interface Files {
  /** What is written is there the next time: sessions can be saved. */
  readonly areKept: boolean;
  open(path: string | URL): Promise<OpenFile>;
  readText(path: string): Promise<string>;
  /** What `write` writes takes the place of the file, whole or not at all; only its owner may read it. */
  replace<T>(path: string, write: (file: NewFile) => Promise<T>, options?: { makeFolder?: boolean }): Promise<T>;
  /** The path of a file of Realm's own: `REALM_HOME`, default `~/.realm`. */
  inHome(name: string): string;
}

export interface OpenFile {
  /** When it was opened. */
  readonly size: number;
  /** Reads from `offset`, at most as much as `target` takes; resolves to the number of bytes, 0 at the end. */
  read(target: Uint8Array, offset: number): Promise<number>;
  close(): Promise<void>;
}

export interface NewFile {
  write(bytes: Uint8Array): Promise<void>;
}

/** SHA-256, HMAC with it, and a keystream, without waiting. */
export interface Digests {
  sha256(): Digest;
  hmac(key: Uint8Array, ...parts: readonly (Uint8Array | string)[]): Uint8Array;
  /** The same in Base64: what makes keys of tables. */
  hmacText(key: Uint8Array, ...parts: readonly (Uint8Array | string)[]): string;
  /** Takes the same time wherever they differ. */
  equal(a: Uint8Array, b: Uint8Array): boolean;
  /** The next bytes of the keystream of AES-256 in counter mode, from 0 on. */
  keystream(key: Uint8Array): (count: number) => Uint8Array;
}

export interface Digest {
  update(part: Uint8Array | string): unknown;
  copy(): Digest;
  digest(): Uint8Array;
}

/** What must be the same for a choice of kernels to hold. */
export interface MachineInfo {
  readonly cpu: string;
  /** What the processor can do, where the system says it. */
  readonly flags: string;
  readonly platform: string;
  readonly node: string;
  readonly v8: string;
}
