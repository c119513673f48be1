import type { EngineHealth } from '../../engine/types.ts';
import { RealmError } from '../../errors.ts';
import type { ModelSlot } from '../model-slot.ts';
import type { Route } from '../route.ts';
import type { Services } from '../services.ts';

/**
 * The process lives and its engines get on; `degraded` while some of them do not. An error when one stands still, or none is left that could
 * come back: then a restart of the process helps. Answered without asking any engine's thread, so that load is no fault.
 */
export const healthRoute: Route = {
  method: 'GET',
  path: '/health',
  summary: 'Whether the server lives',
  open: true,
  handle(context) {
    const { models, state } = context.var.services;
    const { all } = models;
    const devices = devicesOf(all);
    if (state.phase === 'draining') return context.json({ status: 'ok', devices });
    const states = all.map(slot => healthOf(slot).state);
    const count = (state: EngineHealth['state']) => states.filter(each => each === state).length;
    if (count('stuck') > 0)
      throw new RealmError('engine_failed', 'The engine of a model stands still and is being ended');
    const [failed, restarting] = [count('ended'), count('restarting')];
    if (failed > 0 && failed === all.length && !all.some(isDue)) throw noneAnswers();
    if (failed + restarting === 0) return context.json({ status: 'ok', devices });
    return context.json({ status: 'degraded', failed_models: failed + restarting, devices });
  },
};

/** New requests are welcome: the models are loaded, one at least can answer, and the server is not stopping. */
export const readyRoute: Route = {
  method: 'GET',
  path: '/ready',
  summary: 'Whether new requests are welcome',
  open: true,
  handle(context) {
    checkReady(context.var.services);
    return context.json({ status: 'ready' });
  },
};

function checkReady({ models, state }: Services): void {
  if (state.phase === 'loading')
    throw new RealmError('not_ready', 'The model is still being loaded; try again in a moment');
  if (state.phase !== 'ready') throw new RealmError('shutting_down', 'The server is stopping');
  const { all } = models;
  const healths = all.map(healthOf);
  // Without requests no model that failed is tried again.
  if (healths.length === 0 || healths.some(answers) || all.some(isDue)) return;
  if (healths.every(({ state }) => state === 'ended')) throw noneAnswers();
  throw new RealmError('engine_unavailable', 'No model can answer; what failed is being started again', {
    retryAfter: 1,
  });
}

/** A circuit that is half open counts: somebody has to come and try. */
const answers = ({ state, circuit }: EngineHealth): boolean => state === 'running' && circuit !== 'open';

/** Names of models need a key; what is counted here does not. */
function healthOf({ state, model }: ModelSlot): EngineHealth {
  const ended = state === 'failed' || model?.engine.ended.aborted === true;
  return (
    model?.engine.health?.() ?? { state: ended ? 'ended' : 'running', restarts: 0, circuit: 'closed', brownOut: 0 }
  );
}

/** How many loaded models lie where, and what they take there. */
function devicesOf(slots: readonly ModelSlot[]) {
  const devices = new Map<string, { models: number; memory_bytes: number }>();
  const add = (device: string, bytes: number) => {
    const { models, memory_bytes } = devices.get(device) ?? { models: 0, memory_bytes: 0 };
    devices.set(device, { models: models + 1, memory_bytes: memory_bytes + bytes });
  };
  for (const { device, memory, gpuMemory } of slots) {
    if (device === undefined) continue;
    if (device !== 'cpu') add(device, gpuMemory);
    if (device === 'cpu' || memory > 0) add('cpu', memory);
  }
  return [...devices].sort(([a], [b]) => (a < b ? -1 : 1)).map(([device, figures]) => ({ device, ...figures }));
}

/** It failed, and the next request that asks for it has it loaded again. */
const isDue = ({ state, failure }: ModelSlot): boolean =>
  state === 'failed' && (failure === undefined || performance.now() >= failure.retryAt);

function noneAnswers(): RealmError {
  return new RealmError('engine_failed', 'No model answers; one that is asked for is loaded again after a while');
}
