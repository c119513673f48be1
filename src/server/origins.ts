import type { MiddlewareHandler } from 'hono';
import { cors } from 'hono/cors';

/** Whether one of the configured origins is that of a page; `app://*` stands for every page of that kind of app. */
export function isAllowedOrigin(origins: readonly string[], origin: string): boolean {
  return origins.some(
    allowed =>
      allowed === '*' || allowed === origin || (allowed.endsWith('://*') && origin.startsWith(allowed.slice(0, -1))),
  );
}

/**
 * Answers browsers' questions about pages of other origins, and lets those pages read the answers, refusals too. `allowed` may
 * change while the server runs.
 */
export function allowOrigins(allowed: () => readonly string[]): MiddlewareHandler {
  let [origins, handler] = [allowed(), handlerFor(allowed())];
  return (context, next) => {
    if (allowed() !== origins) [origins, handler] = [allowed(), handlerFor(allowed())];
    return handler(context, next);
  };
}

function handlerFor(origins: readonly string[]): MiddlewareHandler {
  if (origins.length === 0) return (_, next) => next();
  return cors({
    origin: origins.includes('*') ? '*' : origin => (isAllowedOrigin(origins, origin) ? origin : null),
    allowMethods: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
    // The headers that the page asks for are allowed: keys are in one of them, never in cookies.
    exposeHeaders: [
      'x-request-id',
      'retry-after',
      'www-authenticate',
      ...['requests', 'tokens'].flatMap(kind => ['limit', 'remaining', 'reset'].map(of => `x-ratelimit-${of}-${kind}`)),
    ],
    maxAge: 600,
  });
}
