import { RestartingEngine, type SupervisionEvent } from '../engine/supervision/restarting-engine.ts';
import type { LoadOptions } from '../llm/load.ts';
import type { Logger } from '../telemetry/log.ts';
import type { RealmConfig } from '../tenancy/config.ts';

/** A model's engine is opened again when it dies, and gives up what it can under pressure. The log has what becomes of it. */
export function supervision(
  model: string | undefined,
  { watchdogMs, brownOut }: Pick<RealmConfig, 'watchdogMs' | 'brownOut'>,
  logger: Logger,
  onRestarted: () => void,
): Pick<LoadOptions, 'supervise' | 'watchdogMs' | 'brownOut' | 'onBrownOut'> {
  const onEvent = (event: SupervisionEvent) => {
    note(event, model, logger);
    if (event.kind === 'restarted') onRestarted();
  };
  return {
    supervise: open => RestartingEngine.start(open, { onEvent }),
    watchdogMs,
    brownOut,
    onBrownOut: level => logger.log('warn', 'brown-out', { model, level, given_up: givenUp[level] }),
  };
}

const givenUp = ['nothing', 'guesses', 'guesses and sessions'] as const;

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
