import { RealmError } from '../../errors.ts';
import type { Route } from '../route.ts';

/** The process lives and answers. */
export const healthRoute: Route = {
  method: 'GET',
  path: '/health',
  open: true,
  handle: context => context.json({ status: 'ok' }),
};

/** New requests are welcome: the models are loaded and the server is not stopping. */
export const readyRoute: Route = {
  method: 'GET',
  path: '/ready',
  open: true,
  handle(context) {
    const { phase } = context.var.services.state;
    if (phase === 'loading')
      throw new RealmError('not_ready', 'The model is still being loaded; try again in a moment');
    if (phase === 'draining') throw new RealmError('shutting_down', 'The server is stopping');
    return context.json({ status: 'ready' });
  },
};
