import { readBody } from '../../body.ts';
import type { Route } from '../../route.ts';

/** Which lines the log has. */
export const logsRoute: Route = {
  method: 'GET',
  path: '/admin/v1/logs',
  summary: 'Which lines the log has',
  admin: true,
  handle(context) {
    return context.json(context.var.services.logs.settings);
  },
};

/** Until the server starts again: `server.log` says what it begins with. */
export const changeLogsRoute: Route = {
  method: 'PUT',
  path: '/admin/v1/logs',
  summary: 'Changes which lines the log has',
  body: 'logs',
  admin: true,
  async handle(context) {
    const { services, exchange } = context.var;
    const settings = services.logs.change(await readBody(context, 'logs'));
    await services.audit.note({
      actor: exchange.keyId ?? 'local',
      action: 'logs.changed',
      target: 'logs',
      detail: settings,
    });
    return context.json(settings);
  },
};
