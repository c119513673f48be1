import type { Route } from '../route.ts';

/** What clients ask to see whether anything is there, mostly with HEAD. */
export const rootRoute: Route = {
  method: 'GET',
  path: '/',
  open: true,
  summary: 'Says that the server runs',
  handle: context => context.text('Realm is running; GET /openapi.json says what it answers\n'),
};
