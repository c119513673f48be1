import type { MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { z } from 'zod';
import { RealmError } from '../errors.ts';
import { check, issueText } from '../tenancy/issues.ts';

/** Refuses a body over `bytes` by its declared length, or else as soon as that many bytes have come. */
export function limitBody(bytes: number): MiddlewareHandler {
  const refuse = () => {
    throw new RealmError('body_too_large', `The body is larger than the limit of ${bytes} bytes; send less`);
  };
  const count = bodyLimit({ maxSize: bytes, onError: refuse });
  return (context, next) => {
    const length = context.req.header('content-length');
    // Counting makes a web stream of the body, and of the request all that goes with one: several times its memory.
    if (length === undefined || context.req.header('transfer-encoding') !== undefined) return count(context, next);
    return Number(length) > bytes ? refuse() : next();
  };
}

/** The request's JSON as `schema` wants it; throws `invalid_json`, or `invalid_request` naming every field at fault. */
export async function readBody<T>(request: { text(): Promise<string> }, schema: z.ZodType<T>): Promise<T> {
  const result = check(schema, parseJson(await request.text()));
  if ('value' in result) return result.value;
  const { issues } = result;
  throw new RealmError('invalid_request', issues.slice(0, 10).map(issueText).join('; '), {
    param: issues[0].path || undefined,
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    // The parser's message quotes the body; the client has it already.
    throw new RealmError('invalid_json', `The body is not JSON: ${(cause as Error).message}`, { cause });
  }
}
