import { getPath } from 'hono/utils/url';

/** A request's path without what base addresses leave in it: double slashes and one at the end. */
export function tidyPath(request: Request): string {
  const path = getPath(request).replace(/\/{2,}/g, '/');
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

/** The path, and the one that a client asks whose base address lacks `/v1`. */
export function withoutVersion(path: string): string[] {
  return path.startsWith('/v1/') ? [path, path.slice('/v1'.length)] : [path];
}
