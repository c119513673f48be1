import type { z } from 'zod';
import type { Rate } from '../rates/rate.ts';
import type { RunLimits } from '../sandbox/types.ts';
import { programPlaceText, toProgramRef } from './program-ref.ts';
import type { programLimitsSchema, rateSchema, TenantDocument } from './schema.ts';
import { type Tenant, tenantDefaults } from './tenants.ts';

/** A tenant as `realm.yaml`, the store and the API write it, and as the server has it. */

type RateDocument = z.output<typeof rateSchema>;
type ProgramLimitsDocument = z.output<typeof programLimitsSchema>;

export function toTenant(id: string, document: TenantDocument): Tenant {
  return {
    id,
    program: document.program === undefined ? undefined : toProgramRef(document.program),
    adapter: document.adapter,
    memoryMb: document.memory_mb ?? tenantDefaults.memoryMb,
    deadlineMs: document.deadline_ms ?? tenantDefaults.deadlineMs,
    programLimits: toProgramLimits(document.program_limits),
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

function toProgramLimits(limits: ProgramLimitsDocument = {}): RunLimits {
  const defaults = tenantDefaults.programLimits;
  return {
    fuel: limits.fuel ?? defaults.fuel,
    hostCalls: limits.host_calls ?? defaults.hostCalls,
    outputBytes: limits.output_bytes ?? defaults.outputBytes,
    runs: limits.runs ?? defaults.runs,
    sequences: limits.sequences ?? defaults.sequences,
    forks: limits.forks ?? defaults.forks,
    tickets: limits.tickets ?? defaults.tickets,
    savedSequences: limits.saved_sequences ?? defaults.savedSequences,
    savedBytes: limits.saved_bytes ?? defaults.savedBytes,
  };
}

function programLimitsDocument(limits: RunLimits) {
  return {
    fuel: limits.fuel,
    host_calls: limits.hostCalls,
    output_bytes: limits.outputBytes,
    runs: limits.runs,
    sequences: limits.sequences,
    forks: limits.forks,
    tickets: limits.tickets,
    saved_sequences: limits.savedSequences,
    saved_bytes: limits.savedBytes,
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
    program_limits: programLimitsDocument(tenant.programLimits),
    adapter: tenant.adapter ?? null,
    parse_special: tenant.parseSpecial ?? false,
    debug: tenant.debug ?? false,
    budgets: tenant.budgets ?? [],
    rate: rateDocument(tenant.rate) ?? null,
    pipelines: tenant.pipelines ?? null,
    tools: tenant.tools ?? [],
  };
}
