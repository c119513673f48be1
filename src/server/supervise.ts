import { type OpenEngine, RestartingEngine, type SupervisionEvent } from '../engine/supervision/restarting-engine.ts';
import type { Engine } from '../engine/types.ts';
import type { Logger } from '../telemetry/log.ts';

/** Opens a model's engine so that it is opened again when it dies; says in the log what becomes of it. */
export function supervised(model: string | undefined, logger: Logger): (open: OpenEngine) => Promise<Engine> {
  return open => RestartingEngine.start(open, { onEvent: event => note(event, model, logger) });
}

function note(event: SupervisionEvent, model: string | undefined, logger: Logger): void {
  switch (event.kind) {
    case 'died':
    case 'not restarted': {
      const { code, message: reason } = event.error;
      return logger.log('error', `engine ${event.kind}`, { model, code, reason });
    }
    case 'restarted':
      return logger.log('warn', 'engine restarted', { model, ms: event.ms });
    case 'adapter lost':
      return logger.log('error', 'adapter lost', { model, adapter: event.adapter, reason: event.error.message });
    case 'circuit':
      return logger.log('warn', 'circuit', { model, state: event.state });
    default:
      event satisfies never;
  }
}
