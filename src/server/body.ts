import type { MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { RealmError } from '../errors.ts';
import type { AppContext } from './route.ts';
import type { Body, BodyForm } from './text/bodies.ts';

/** Refuses a body over `bytes` by its declared length, or else as soon as that many bytes have come. */
export function limitBody(bytes: number): MiddlewareHandler {
  return bodyLimit({
    maxSize: bytes,
    onError: () => {
      throw new RealmError('body_too_large', `The body is larger than the limit of ${bytes} bytes; send less`);
    },
  });
}

/** Whose work the body of an operator's request is. */
const operator = { id: '' };

/** The request's JSON as its form wants it; throws `invalid_json`, or `invalid_request` naming every field at fault. */
export async function readBody<F extends BodyForm>(context: AppContext, form: F): Promise<Body<F>> {
  const { services, exchange } = context.var;
  const bytes = new Uint8Array(await context.req.arrayBuffer());
  const call = { owner: context.get('tenant') ?? operator, signal: exchange.signal };
  return (await services.text.run('body', call, { form, bytes, limits: services.limits })) as Body<F>;
}
