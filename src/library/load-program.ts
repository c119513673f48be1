import { platform } from '#platform';
import { asRealmError, RealmError } from '../errors.ts';
import { LoadedProgram } from '../sandbox/program.ts';
import { throwIfCancelled } from './generation.ts';

/** A tenant's program, read and found to be in order; {@link loadProgram} makes it, and a model runs it. */
export class Program {
  /** For messages: the file's name without `.wasm`. */
  readonly name: string;
  /** SHA-256 of the `.wasm`, in hexadecimal digits. */
  readonly digest: string;
  /** @internal */
  readonly bytes: Uint8Array;

  /** @internal */
  constructor({ name, digest }: Pick<Program, 'name' | 'digest'>, bytes: Uint8Array) {
    this.name = name;
    this.digest = digest;
    this.bytes = bytes;
  }
}

/**
 * Reads a tenant's program: a WebAssembly module of ABI v1 or v2, the same file that a server runs.
 *
 * @param source The bytes of a `.wasm`, a Blob that holds them, an http(s) URL, or in Node a path.
 * @throws RealmError `program_invalid` (what is wrong with it), `program_not_found` (there is no such file), `download_failed`,
 * `request_cancelled`.
 */
export async function loadProgram(
  source: Uint8Array | Blob | URL | string,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<Program> {
  throwIfCancelled(signal);
  try {
    const bytes = await bytesOf(source, signal);
    return new Program(new LoadedProgram(nameOf(source), bytes, false), bytes);
  } catch (error) {
    throwIfCancelled(signal);
    throw asRealmError(error);
  }
}

async function bytesOf(source: Uint8Array | Blob | URL | string, signal: AbortSignal | undefined): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return source.slice();
  if (source instanceof Blob) return new Uint8Array(await source.arrayBuffer());
  if (/^https?:/.test(String(source))) return download(String(source), signal);
  return readFile(source);
}

async function download(url: string, signal: AbortSignal | undefined): Promise<Uint8Array> {
  const failed = (why: string, cause?: unknown) => new RealmError('download_failed', `${url}: ${why}`, { cause });
  const response = await fetch(url, { signal: signal ?? null }).catch(cause => {
    throw failed(`cannot be fetched (${cause.message})`, cause);
  });
  if (!response.ok) throw failed(`the server answered ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

async function readFile(path: string | URL): Promise<Uint8Array> {
  const file = await platform.files.open(path).catch(cause => {
    const why =
      cause instanceof RealmError ? 'a browser opens no paths; give a Blob, an http(s) URL or bytes' : cause.message;
    throw new RealmError('program_not_found', `${path}: ${why}`, { cause });
  });
  try {
    const bytes = new Uint8Array(file.size);
    for (let at = 0, read = -1; at < bytes.length && read !== 0; at += read)
      read = await file.read(bytes.subarray(at), at);
    return bytes;
  } finally {
    await file.close();
  }
}

function nameOf(source: Uint8Array | Blob | URL | string): string {
  if (source instanceof Uint8Array || (source instanceof Blob && !(source instanceof File))) return 'program';
  const path = source instanceof Blob ? source.name : String(source);
  return path.replace(/[?#].*$|^.*[/\\](?=[^/\\?#]+)/g, '').replace(/\.wasm$/i, '');
}
