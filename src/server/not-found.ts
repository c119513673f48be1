import { RealmError } from '../errors.ts';
import type { Route } from './route.ts';

/** Says what there is beside the path that was asked for: clients know more of an API than any server has. */
export function nothingThere(request: Request, routes: readonly Route[]): RealmError {
  const { pathname } = new URL(request.url);
  const family = /^\/+(api|v1)\//.exec(pathname)?.[1];
  const near = routes.filter(({ path, admin }) => !admin && path.startsWith(`/${family}/`));
  const known = near.map(({ method, path }) => `${method} ${plainPath(path)}`).join(', ');
  const there = known === '' ? 'GET /openapi.json says what there is' : `here are ${known}; more in GET /openapi.json`;
  return new RealmError('route_not_found', `There is no ${request.method} ${pathname} here; ${there}`);
}

/** A path with its parameters as OpenAPI writes them. */
export function plainPath(path: string): string {
  return path.replace(/:(\w+)(\{[^}]*\})?/g, '{$1}');
}
