import { RealmError } from '../../errors.ts';
import type { Route } from '../route.ts';
import type { Services } from '../services.ts';

/** The process lives and answers; `degraded` while some of its models do not, an error when none does. */
export const healthRoute: Route = {
  method: 'GET',
  path: '/health',
  summary: 'Whether the server lives',
  open: true,
  handle(context) {
    const failed = failedModels(context.var.services);
    return context.json(failed === 0 ? { status: 'ok' } : { status: 'degraded', failed_models: failed });
  },
};

/** New requests are welcome: the models are loaded, one at least lives, and the server is not stopping. */
export const readyRoute: Route = {
  method: 'GET',
  path: '/ready',
  summary: 'Whether new requests are welcome',
  open: true,
  handle(context) {
    const { phase } = context.var.services.state;
    if (phase === 'loading')
      throw new RealmError('not_ready', 'The model is still being loaded; try again in a moment');
    if (phase === 'draining') throw new RealmError('shutting_down', 'The server is stopping');
    failedModels(context.var.services);
    return context.json({ status: 'ready' });
  },
};

/** How many models cannot be loaded or have lost their engine. Throws `engine_failed` while no other is left and no request would have one loaded again. Names need a key. */
function failedModels({ models, state }: Services): number {
  if (state.phase === 'draining') return 0;
  const { all } = models;
  const failed = all.filter(slot => slot.state === 'failed');
  // Without requests none is tried again.
  const isResting = failed.every(({ failure }) => failure !== undefined && performance.now() < failure.retryAt);
  if (failed.length === 0 || failed.length < all.length || !isResting) return failed.length;
  throw new RealmError('engine_failed', 'No model answers; one that is asked for is loaded again after a while');
}
