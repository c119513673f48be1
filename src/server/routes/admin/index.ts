import type { Route } from '../../route.ts';
import { modelAdminRoutes } from './models.ts';

/** What the operator does while the server runs. */
export const adminRoutes: readonly Route[] = [...modelAdminRoutes];
