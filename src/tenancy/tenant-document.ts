import type { z } from 'zod';
import type { Rate } from '../rates/rate.ts';
import { programPlaceText, toProgramRef } from './program-ref.ts';
import type { rateSchema, TenantDocument } from './schema.ts';
import { type Tenant, tenantDefaults } from './tenants.ts';

/** A tenant as `realm.yaml`, the store and the API write it, and as the server has it. */

type RateDocument = z.output<typeof rateSchema>;

export function toTenant(id: string, document: TenantDocument): Tenant {
  return {
    id,
    program: document.program === undefined ? undefined : toProgramRef(document.program),
    adapter: document.adapter,
    memoryMb: document.memory_mb ?? tenantDefaults.memoryMb,
    deadlineMs: document.deadline_ms ?? tenantDefaults.deadlineMs,
    queueMs: document.queue_ms,
    maxQueued: document.max_queued,
    weight: document.weight,
    parseSpecial: document.parse_special,
    debug: document.debug,
    budgets: document.budgets,
    rate: toRate(document.rate),
    pipelines: document.pipelines,
    tools: document.tools,
  };
}

export function toRate(rate: RateDocument | undefined): Rate | undefined {
  return (
    rate && {
      requestsPerMinute: rate.requests_per_minute,
      tokensPerMinute: rate.tokens_per_minute,
      concurrent: rate.concurrent,
    }
  );
}

function rateDocument(rate: Rate | undefined) {
  return (
    rate && {
      requests_per_minute: rate.requestsPerMinute,
      tokens_per_minute: rate.tokensPerMinute,
      concurrent: rate.concurrent,
    }
  );
}

/** A tenant's fields as the API answers them. */
export function tenantAnswer(tenant: Tenant): object {
  return {
    weight: tenant.weight ?? 1,
    max_queued: tenant.maxQueued ?? null,
    queue_ms: tenant.queueMs ?? null,
    deadline_ms: tenant.deadlineMs,
    memory_mb: tenant.memoryMb,
    program: tenant.program === undefined ? null : programPlaceText(tenant.program),
    adapter: tenant.adapter ?? null,
    parse_special: tenant.parseSpecial ?? false,
    debug: tenant.debug ?? false,
    budgets: tenant.budgets ?? [],
    rate: rateDocument(tenant.rate) ?? null,
    pipelines: tenant.pipelines ?? null,
    tools: tenant.tools ?? [],
  };
}
