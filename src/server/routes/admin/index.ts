import type { Route } from '../../route.ts';
import { adminUsageRoute } from './usage.ts';

/** What the operator does while the server runs. */
export const adminRoutes: readonly Route[] = [adminUsageRoute];
