import type { Route } from '../../route.ts';
import { liveRoute } from './live.ts';
import { changeLogsRoute, logsRoute } from './logs.ts';
import { adminCancelRoute, adminRequestsRoute } from './requests.ts';

/** What the operator does while the server runs. */
export const adminRoutes: readonly Route[] = [
  liveRoute,
  adminRequestsRoute,
  adminCancelRoute,
  logsRoute,
  changeLogsRoute,
];
