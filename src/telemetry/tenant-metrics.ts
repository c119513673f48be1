import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { TenantLoad } from '../engine/types.ts';
import { closedLabel } from './labels.ts';
import type { RequestSample } from './request-sample.ts';

/** Few, because each tenant has them all. */
const seconds = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export interface TenantMetrics {
  request(sample: RequestSample): void;
  fuel(tenant: string, used: number): void;
  /** What the engines say of tenants now, an entry for each tenant and engine. */
  load(loads: readonly TenantLoad[]): void;
}

/** Whose the requests were: for the operator alone. */
export function tenantMetrics(registers: Registry[]): TenantMetrics {
  const label = closedLabel();
  const tenant = ['tenant'];
  const requests = new Counter({
    name: 'realm_tenant_requests_total',
    help: 'Finished requests of a tenant',
    labelNames: tenant,
    registers,
  });
  const refusals = new Counter({
    name: 'realm_tenant_errors_total',
    help: 'Requests of a tenant that were refused or failed, by the code of the error',
    labelNames: [...tenant, 'code'],
    registers,
  });
  const tokens = new Counter({
    name: 'realm_tenant_tokens_total',
    help: 'Tokens of finished requests of a tenant',
    labelNames: [...tenant, 'kind'],
    registers,
  });
  const fuel = new Counter({
    name: 'realm_tenant_program_fuel_total',
    help: "Fuel that a tenant's own program has used",
    labelNames: tenant,
    registers,
  });
  const first = new Histogram({
    name: 'realm_tenant_time_to_first_token_seconds',
    help: 'From request to first text',
    labelNames: tenant,
    buckets: seconds,
    registers,
  });
  const running = new Gauge({
    name: 'realm_tenant_sequences_running',
    help: 'Sequences of a tenant that are being computed',
    labelNames: tenant,
    registers,
  });
  const waiting = new Gauge({
    name: 'realm_tenant_sequences_waiting',
    help: 'Sequences of a tenant that wait for their turn',
    labelNames: tenant,
    registers,
  });
  return {
    request: ({ tenant: id, code, firstTokenMs, promptTokens, cachedTokens, completionTokens }) => {
      if (id === undefined) return;
      const labels = { tenant: label(id) };
      requests.inc(labels);
      if (code !== undefined) refusals.inc({ ...labels, code });
      if (promptTokens + completionTokens > 0) {
        tokens.inc({ ...labels, kind: 'prompt' }, promptTokens);
        tokens.inc({ ...labels, kind: 'cached' }, cachedTokens);
        tokens.inc({ ...labels, kind: 'completion' }, completionTokens);
      }
      if (firstTokenMs !== undefined) first.observe(labels, firstTokenMs / 1000);
    },
    fuel: (id, used) => fuel.inc({ tenant: label(id) }, used),
    load: loads => {
      running.reset();
      waiting.reset();
      for (const load of loads) {
        const labels = { tenant: label(load.tenant) };
        running.inc(labels, load.running);
        waiting.inc(labels, load.waiting);
      }
    },
  };
}
