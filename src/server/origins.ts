import type { MiddlewareHandler } from 'hono';
import { cors } from 'hono/cors';

/** Whether one of the configured origins is that of a page; `app://*` stands for every page of that kind of app. */
export function isAllowedOrigin(origins: readonly string[], origin: string): boolean {
  return origins.some(
    allowed =>
      allowed === '*' || allowed === origin || (allowed.endsWith('://*') && origin.startsWith(allowed.slice(0, -1))),
  );
}

/** Answers browsers' questions about pages of other origins, and lets those pages read the answers, refusals too. */
export function allowOrigins(origins: readonly string[]): MiddlewareHandler {
  return cors({
    origin: origins.includes('*') ? '*' : origin => (isAllowedOrigin(origins, origin) ? origin : null),
    allowMethods: ['GET', 'POST', 'DELETE'],
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
