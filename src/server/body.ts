import type { MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { RealmError } from '../errors.ts';
import type { AppContext } from './route.ts';
import type { Body, BodyForm } from './text/bodies.ts';

/** Refuses a body over the limit in bytes by its declared length, or else as soon as that many bytes have come. */
export function limitBody(limit: () => number): MiddlewareHandler {
  return async (context, next) => {
    const bytes = limit();
    const refuse = () => {
      throw bodyTooLarge(bytes);
    };
    const length = context.req.header('content-length');
    // Counting makes a web stream of the body, and of the request all that goes with one: several times its memory.
    // The handlers' own failures do not come this way: Hono has answered them by then.
    if (length === undefined || context.req.header('transfer-encoding') !== undefined)
      return bodyLimit({ maxSize: bytes, onError: refuse })(context, next).catch(uploadFailed);
    return Number(length) > bytes ? refuse() : next();
  };
}

export function bodyTooLarge(bytes: number): RealmError {
  return new RealmError('body_too_large', `The body is larger than the limit of ${bytes} bytes; send less`);
}

/** A body that cannot be read to its end is one that the client did not send. */
export function uploadFailed(cause: unknown): never {
  if (cause instanceof RealmError) throw cause;
  throw new RealmError('request_cancelled', 'The client closed the connection before the body had come', { cause });
}

/** Whose work the body of an operator's request is. */
const operator = { id: '' };

/** The request's JSON as its form wants it; throws `invalid_json`, or `invalid_request` naming every field at fault. */
export async function readBody<F extends BodyForm>(context: AppContext, form: F): Promise<Body<F>> {
  const { services, exchange } = context.var;
  const bytes = new Uint8Array(await context.req.arrayBuffer().catch(uploadFailed));
  const call = { owner: context.get('tenant') ?? operator, signal: exchange.signal };
  return (await services.text.run('body', call, { form, bytes, limits: services.limits })) as Body<F>;
}
