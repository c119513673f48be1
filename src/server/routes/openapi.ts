import { openApiDocument } from '../openapi.ts';
import type { Route } from '../route.ts';

/** The description of all routes, for everybody: it tells nothing of models or tenants. */
export const openApiRoute = (routes: () => readonly Route[]): Route => ({
  method: 'GET',
  path: '/openapi.json',
  open: true,
  summary: 'This document',
  handle: context => context.json(openApiDocument(routes(), context.var.services.limits)),
});
