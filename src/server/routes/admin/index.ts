import type { Route } from '../../route.ts';

/** What the operator does while the server runs. */
export const adminRoutes: readonly Route[] = [];
