import { LocalRates, type RateBook } from '../rates/book.ts';
import type { Rate, RateOf } from '../rates/rate.ts';
import { Rates } from '../rates/rates.ts';
import type { Logger } from '../telemetry/log.ts';
import type { RateMetrics } from '../telemetry/rate-metrics.ts';

/** What `realm.yaml` calls the limits. */
const names: Readonly<Record<keyof Rate, string>> = {
  requestsPerMinute: 'requests_per_minute',
  tokensPerMinute: 'tokens_per_minute',
  concurrent: 'concurrent',
};

/** Rates in this process, or shared through Redis where its URL is given. */
export async function openRates(
  redis: string | undefined,
  rateOf: RateOf,
  { logger, metrics }: { logger: Logger; metrics: RateMetrics },
): Promise<Rates> {
  const book = redis === undefined ? new LocalRates() : await openShared(redis, logger, metrics);
  return new Rates(book, rateOf, limit => metrics.denied(names[limit]));
}

async function openShared(redis: string, logger: Logger, metrics: RateMetrics): Promise<RateBook> {
  // Only who uses it pays for loading it.
  const { SharedRates } = await import('../rates/redis.ts');
  metrics.shared(true);
  return SharedRates.open(redis, {
    onChange: (shared, servers) => {
      metrics.shared(shared);
      if (shared) logger.log('info', 'rates are shared again', { servers });
      else logger.log('error', 'redis is lost: each server allows its part of every rate', { servers });
    },
  });
}
