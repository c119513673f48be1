import { Counter, Gauge, type Registry } from 'prom-client';

export interface RateMetrics {
  /** A limit of `realm.yaml` denied a request or a call. */
  denied(limit: string): void;
  /** Whether servers share their limits, or Redis is lost. */
  shared(shared: boolean): void;
}

export function rateMetrics(registers: Registry[]): RateMetrics {
  const denied = new Counter({
    name: 'realm_rate_limited_total',
    help: 'Requests and calls that a limit of rates refused, by the kind of limit',
    labelNames: ['limit'],
    registers,
  });
  let shared: Gauge | undefined;
  return {
    denied: limit => denied.inc({ limit }),
    shared: is => {
      // Only servers that should share have it.
      shared ??= new Gauge({
        name: 'realm_rates_shared',
        help: '1: rates are shared through Redis; 0: it is lost, and this server allows its part of each limit',
        registers,
      });
      shared.set(Number(is));
    },
  };
}
