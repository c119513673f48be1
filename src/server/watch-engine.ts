import type { RealmError } from '../errors.ts';
import type { LoadedModel } from '../llm/load.ts';
import type { Logger } from '../telemetry/log.ts';

/** One log line when a model's engine dies, whether somebody waits for it or not. */
export function watchEngine({ id, engine }: Pick<LoadedModel, 'id' | 'engine'>, logger: Logger): void {
  engine.ended.addEventListener('abort', () => {
    const { code, message } = engine.ended.reason as RealmError;
    if (code === 'engine_failed') logger.log('error', 'engine ended', { model: id, code, reason: message });
  });
}
