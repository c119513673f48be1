import type { Route } from '../../route.ts';
import { auditRoute } from './audit.ts';
import { keyRoutes } from './keys.ts';
import { liveRoute } from './live.ts';
import { changeLogsRoute, logsRoute } from './logs.ts';
import { modelAdminRoutes } from './models.ts';
import { pipelineRunRoutes } from './pipeline-runs.ts';
import { programRoutes } from './programs.ts';
import { adminCancelRoute, adminRequestsRoute } from './requests.ts';
import { tenantRoutes } from './tenants.ts';
import { adminUsageRoute } from './usage.ts';

/** What the operator does while the server runs. */
export const adminRoutes: readonly Route[] = [
  ...tenantRoutes,
  ...keyRoutes,
  ...programRoutes,
  auditRoute,
  adminUsageRoute,
  ...modelAdminRoutes,
  liveRoute,
  adminRequestsRoute,
  adminCancelRoute,
  ...pipelineRunRoutes,
  logsRoute,
  changeLogsRoute,
];
