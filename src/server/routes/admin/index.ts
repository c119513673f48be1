import type { Route } from '../../route.ts';
import { auditRoute } from './audit.ts';
import { keyRoutes } from './keys.ts';
import { modelAdminRoutes } from './models.ts';
import { tenantRoutes } from './tenants.ts';
import { adminUsageRoute } from './usage.ts';

/** What the operator does while the server runs. */
export const adminRoutes: readonly Route[] = [
  ...tenantRoutes,
  ...keyRoutes,
  auditRoute,
  adminUsageRoute,
  ...modelAdminRoutes,
];
