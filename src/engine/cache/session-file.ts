import { platform } from '#platform';
import { asRealmError, RealmError } from '../../errors.ts';
import type { Digest, NewFile, OpenFile } from '../../platform/platform.ts';
import type { Token } from '../../tokenizer/types.ts';

/**
 * A saved sequence: magic, length of the header (u32), header (JSON), tokens (i32), their seal (HMAC-SHA-256 of their SHA-256); then the pages, and the
 * seal of everything before it. Little-endian. Nothing of a file is believed before its seal is right.
 */
const magic = new TextEncoder().encode('REALMKV1');
const hmacBytes = 32;
const longestHeader = 1 << 16;
const mostTokens = 1 << 24;

/** What a saved sequence is bound to: it can be restored by nobody and to nothing else. */
export interface SessionBinding {
  readonly tenant: string;
  /** Fingerprint of the weights, and how their cache lies in memory. */
  readonly model: string;
  /** Fingerprint of the adapter; empty without one. */
  readonly adapter: string;
  /** Name of the order of a page's bytes. */
  readonly kvLayout: string;
}

interface Header extends SessionBinding {
  readonly tokens: number;
  readonly pages: number;
  readonly pageBytes: number;
  readonly stateBytes: number;
}

/** What files do not say that were written before there was more than one. */
const unsaid = { kvLayout: 'wasm', stateBytes: 0 } as const;

export interface SessionContent {
  readonly tokens: readonly Token[];
  readonly pages: number;
  readonly pageBytes: number;
  /** Bytes of the state behind the last page, in models that keep one; otherwise 0. */
  readonly stateBytes: number;
}

/** Writes a file, whole or not at all; `contents` gives the pages, whose bytes it may reuse for the next. Returns its length. */
export async function writeSession(
  path: string,
  seal: Uint8Array,
  binding: SessionBinding,
  content: SessionContent & { readonly contents: AsyncIterable<Uint8Array>; state(): Promise<Uint8Array> },
): Promise<number> {
  try {
    return await platform.files.replace(path, async file => {
      const { tokens, pages, pageBytes, stateBytes } = content;
      const out = new SealedWriter(file, seal);
      const header: Header = { ...binding, tokens: tokens.length, pages, pageBytes, stateBytes };
      const json = new TextEncoder().encode(JSON.stringify(header));
      await out.write(magic);
      await out.write(bytesOf(Uint32Array.of(json.length)));
      await out.write(json);
      await out.write(bytesOf(Int32Array.from(tokens)));
      await out.seal();
      for await (const page of content.contents) await out.write(page);
      if (stateBytes > 0) await out.write(await content.state());
      await out.seal();
      return out.length;
    });
  } catch (cause) {
    throw new RealmError('session_failed', `the session could not be saved: ${asRealmError(cause).message}`, { cause });
  }
}

/** A file that is being read: its tokens are known to be as they were written, its pages once all have been read. */
export interface OpenSession extends SessionContent {
  /** The next page; the bytes are the caller's until the next call. Throws `session_corrupted`. */
  next(): Promise<Uint8Array>;
  /** The state, behind the last page. Throws `session_corrupted`. */
  state(): Promise<Uint8Array>;
  /** Call after all of it. Throws `session_corrupted`. */
  verify(): Promise<void>;
  close(): Promise<void>;
}

/** Throws `session_not_found`, `session_corrupted`, `session_mismatch`. */
export async function openSession(path: string, seal: Uint8Array, binding: SessionBinding): Promise<OpenSession> {
  const file = await platform.files.open(path).catch(cause => {
    if (cause.code === 'ENOENT') throw new RealmError('session_not_found', 'there is no such session', { cause });
    throw new RealmError('session_failed', `the session cannot be read: ${asRealmError(cause).message}`, { cause });
  });
  try {
    const source = new SealedReader(file, seal);
    if (!platform.digests.equal(await source.read(magic.length), magic)) throw corrupted();
    const header = await readHeader(source);
    const tokens = new Int32Array((await source.read(4 * header.tokens)).slice().buffer);
    await source.verify();
    for (const key of ['tenant', 'model', 'adapter', 'kvLayout'] as const)
      if (header[key] !== binding[key]) throw mismatch(key);
    const page = new Uint8Array(header.pageBytes);
    return {
      tokens: [...tokens] as Token[],
      pages: header.pages,
      pageBytes: header.pageBytes,
      stateBytes: header.stateBytes,
      next: () => source.read(header.pageBytes, page),
      state: () => source.read(header.stateBytes),
      verify: () => source.verify(),
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Lengths are checked before anything is allocated for them. */
async function readHeader(source: SealedReader): Promise<Header> {
  const length = new DataView((await source.read(4)).slice().buffer).getUint32(0, true);
  if (length > longestHeader) throw corrupted();
  const header = parse(new TextDecoder().decode(await source.read(length)));
  const { tokens, pages, pageBytes, stateBytes } = header;
  const counts = [tokens, pages, pageBytes, stateBytes].every(value => Number.isSafeInteger(value) && value >= 0);
  if (!counts || tokens > mostTokens) throw corrupted();
  const size = magic.length + 4 + length + 4 * tokens + pages * pageBytes + stateBytes + 2 * hmacBytes;
  if (source.size !== size) throw corrupted();
  return header;
}

function parse(json: string): Header {
  try {
    return { ...unsaid, ...JSON.parse(json) };
  } catch {
    throw corrupted();
  }
}

function corrupted(): RealmError {
  return new RealmError(
    'session_corrupted',
    'the session’s file is damaged or was changed: delete it and save the session again',
  );
}

function mismatch(key: keyof SessionBinding): RealmError {
  const what = key === 'kvLayout' ? 'backend: its pages have another order' : key;
  return new RealmError('session_mismatch', `the session belongs to another ${what}`);
}

function bytesOf({ buffer, byteOffset, byteLength }: Uint32Array | Int32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

class SealedWriter {
  length = 0;
  readonly #file: NewFile;
  readonly #hash = platform.digests.sha256();
  readonly #seal: Uint8Array;
  #sealed = 0;

  constructor(file: NewFile, seal: Uint8Array) {
    this.#file = file;
    this.#seal = seal;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes);
    await this.#file.write(bytes);
    this.length += bytes.length;
  }

  /** Writes the seal of everything so far. */
  async seal(): Promise<void> {
    await this.write(digestOf(this.#hash, this.#seal, this.#sealed++));
  }
}

class SealedReader {
  readonly #file: OpenFile;
  readonly #seal: Uint8Array;
  readonly #hash = platform.digests.sha256();
  #sealed = 0;
  #at = 0;

  constructor(file: OpenFile, seal: Uint8Array) {
    this.#file = file;
    this.#seal = seal;
  }

  get size(): number {
    return this.#file.size;
  }

  async read(length: number, into = new Uint8Array(length)): Promise<Uint8Array> {
    await this.#fill(into);
    this.#hash.update(into);
    return into;
  }

  async verify(): Promise<void> {
    const expected = digestOf(this.#hash, this.#seal, this.#sealed++);
    if (!platform.digests.equal(expected, await this.read(hmacBytes))) throw corrupted();
  }

  async #fill(into: Uint8Array): Promise<void> {
    for (let done = 0; done < into.length; ) {
      const bytesRead = await this.#file.read(into.subarray(done), this.#at);
      if (bytesRead === 0) throw corrupted();
      done += bytesRead;
      this.#at += bytesRead;
    }
  }
}

/** HMAC of everything so far; the number keeps the two of a file from standing for each other. */
function digestOf(hash: Digest, seal: Uint8Array, index: number): Uint8Array {
  return platform.digests.hmac(seal, hash.copy().digest(), Uint8Array.of(index));
}
