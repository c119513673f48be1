import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate, type ZlibOptions, zstdDecompress } from 'node:zlib';
import type { MiddlewareHandler } from 'hono';
import { RealmError } from '../errors.ts';
import { bodyTooLarge, uploadFailed } from './body.ts';

type Decode = (body: ArrayBuffer, options: Pick<ZlibOptions, 'maxOutputLength'>) => Promise<Buffer>;

const decoders: ReadonlyMap<string, Decode> = new Map<string, Decode>([
  ['gzip', promisify(gunzip)],
  ['x-gzip', promisify(gunzip)],
  ['deflate', promisify(inflate)],
  ['br', promisify(brotliDecompress)],
  ['zstd', promisify(zstdDecompress)],
]);

/** Decodes a compressed body; the limit of bytes holds for what comes out, which is never held beyond it. */
export function decodeBody(limit: () => number): MiddlewareHandler {
  return async (context, next) => {
    const bytes = limit();
    const encoding = context.req.header('content-encoding')?.trim().toLowerCase() || 'identity';
    if (encoding === 'identity') return next();
    const decode = decoders.get(encoding);
    if (decode === undefined) {
      const message = `content-encoding: ${encoding} is not supported; send gzip, deflate, br or zstd, or the body as it is`;
      throw new RealmError('encoding_unsupported', message);
    }
    const encoded = await context.req.raw.arrayBuffer().catch(uploadFailed);
    const body = await decode(encoded, { maxOutputLength: bytes }).catch(cause => {
      if (cause.code === 'ERR_BUFFER_TOO_LARGE') throw bodyTooLarge(bytes);
      const message = `The body is not ${encoding}, as its content-encoding says: ${cause.message}`;
      throw new RealmError('invalid_request', message, { cause });
    });
    context.req.raw = new Request(context.req.raw, { body: new Uint8Array(body) });
    return next();
  };
}
