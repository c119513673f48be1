import { RealmError } from '../../errors.ts';
import { CallTalk } from '../calls/talk.ts';
import { refuseWebPages } from '../local.ts';
import { isAllowedOrigin } from '../origins.ts';
import type { AppContext, Route } from '../route.ts';

/** A WebSocket on which functions are called. Its first message may have the key: browsers cannot send headers with it. */
export const callsRoute: Route = {
  method: 'GET',
  path: '/v1/ws',
  open: true,
  summary: 'Functions called over WebSocket',
  handle(context) {
    const { services } = context.var;
    refusePages(context);
    const upgrade = context.env?.upgrade;
    if (!upgrade) throw new RealmError('upgrade_required', 'Ask for a WebSocket with upgrade: websocket');
    upgrade.agree(link => new CallTalk(link, services));
    return context.body(null, 200, { upgrade: 'websocket' });
  },
};

/** What a browser does for HTTP, nobody does for WebSockets: pages from elsewhere must have been named. */
function refusePages({ req, var: { services } }: AppContext): void {
  const origin = req.header('origin');
  const allowed = (page: string) => isAllowedOrigin(services.http.origins, page);
  if (services.localOnly) return refuseWebPages(req.url, origin, allowed);
  if (origin === undefined || allowed(origin) || URL.parse(origin)?.host === new URL(req.url).host) return;
  throw new RealmError('host_not_allowed', 'Pages of this origin may not connect; name it in server.origins');
}
