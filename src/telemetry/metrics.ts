import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { EngineStats } from '../engine/types.ts';
import type { SandboxStats } from '../sandbox/types.ts';
import { genAiRequestMetrics } from './gen-ai-metrics.ts';
import { closedLabel } from './labels.ts';
import { LiveFigures } from './live.ts';
import { heldMemory, memoryByKind, processMemory } from './memory.ts';
import { type RateMetrics, rateMetrics } from './rate-metrics.ts';
import type { RequestSample } from './request-sample.ts';
import { tenantMetrics } from './tenant-metrics.ts';
import { type ToolMetrics, toolMetrics } from './tool-metrics.ts';

/** One piece of work on text: tokenising, templates, JSON. */
export interface TextSample {
  readonly job: string;
  /** Absent: of no model. */
  readonly model: string | undefined;
  readonly ms: number;
}

/** The state of one loaded model when metrics are read. */
export type ModelSample = EngineStats & { readonly model: string; readonly device?: string | undefined };

/** The state of the server when metrics are read. */
export interface ServerSample {
  readonly models: readonly ModelSample[];
  readonly programs: SandboxStats;
  readonly openRequests: number;
}

export interface Metrics {
  readonly contentType: string;
  /** What tenants have had lately. */
  readonly live: LiveFigures;
  request(sample: RequestSample): void;
  text(sample: TextSample): void;
  /** A run of the tenant's program has used so much. */
  fuel(tenant: string, fuel: number): void;
  readonly rates: RateMetrics;
  readonly tools: ToolMetrics;
  /** The Prometheus text page. */
  page(state: ServerSample, reader?: { readonly operator: boolean }): Promise<string>;
}

const seconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
const tokenSeconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/**
 * Metrics of one server, in registries of its own. They add up over tenants; those that say whose a request was are for
 * the operator, in a registry apart. No label has values of a client's making.
 */
export function createMetrics(): Metrics {
  const register = new Registry();
  const registers = [register];
  // The default looks every 10 ms, which takes half a percent of a machine that computes on all its cores.
  collectDefaultMetrics({ register, eventLoopMonitoringPrecision: 100 });
  const ofTenants = new Registry();
  const label = closedLabel();
  const requests = requestMetrics(registers, label);
  const genAiRequests = genAiRequestMetrics(registers, label);
  const tenants = tenantMetrics([ofTenants]);
  const live = new LiveFigures();
  const models = modelMetrics(registers, label);
  const programs = programMetrics(registers);
  const memory = new Gauge({
    name: 'realm_memory_bytes',
    help: 'Memory of this process by what it is for; resident is all of it',
    labelNames: ['kind'],
    registers,
  });
  const open = new Gauge({ name: 'realm_requests_open', help: 'Requests being answered', registers });
  return {
    contentType: register.contentType,
    live,
    request: sample => {
      requests(sample);
      genAiRequests(sample);
      tenants.request(sample);
      live.finished(sample);
    },
    text: textMetrics(registers, label),
    fuel: (tenant, fuel) => {
      programs.fuel(fuel);
      tenants.fuel(tenant, fuel);
    },
    rates: rateMetrics(registers),
    tools: toolMetrics(registers),
    page: async ({ models: samples, programs: programStats, openRequests }, { operator } = { operator: false }) => {
      models(samples);
      programs.now(programStats);
      const kinds = memoryByKind(
        samples.map(sample => sample.memory),
        processMemory(),
      );
      for (const [kind, bytes] of Object.entries(kinds)) memory.set({ kind }, bytes);
      open.set(openRequests);
      const page = await register.metrics();
      if (!operator) return page;
      tenants.load(samples.flatMap(sample => sample.tenants ?? []));
      return `${page}\n${await ofTenants.metrics()}`;
    },
  };
}

function requestMetrics(registers: Registry[], label: (model: string) => string): (sample: RequestSample) => void {
  const route = ['route'];
  const total = new Counter({
    name: 'realm_requests_total',
    help: 'Finished requests',
    labelNames: ['route', 'status'],
    registers,
  });
  const errors = new Counter({
    name: 'realm_errors_total',
    help: 'Requests that were refused or failed, by the code of the error',
    labelNames: ['code'],
    registers,
  });
  const tokens = new Counter({
    name: 'realm_tokens_total',
    help: 'Tokens of finished requests',
    labelNames: ['model', 'kind'],
    registers,
  });
  const duration = new Histogram({
    name: 'realm_request_duration_seconds',
    help: 'From request to last byte',
    labelNames: route,
    buckets: seconds,
    registers,
  });
  const first = new Histogram({
    name: 'realm_time_to_first_token_seconds',
    help: 'From request to first text',
    labelNames: route,
    buckets: seconds,
    registers,
  });
  const each = new Histogram({
    name: 'realm_time_per_output_token_seconds',
    help: 'Mean time between the tokens of a request',
    labelNames: route,
    buckets: tokenSeconds,
    registers,
  });
  return sample => {
    const labels = { route: sample.route };
    total.inc({ ...labels, status: sample.status });
    duration.observe(labels, sample.durationMs / 1000);
    if (sample.code !== undefined) errors.inc({ code: sample.code });
    if (sample.model === undefined) return;
    const model = label(sample.model);
    tokens.inc({ model, kind: 'prompt' }, sample.promptTokens);
    tokens.inc({ model, kind: 'cached' }, sample.cachedTokens);
    tokens.inc({ model, kind: 'completion' }, sample.completionTokens);
    if (sample.firstTokenMs === undefined) return;
    first.observe(labels, sample.firstTokenMs / 1000);
    const later = sample.completionTokens - 1;
    if (later > 0) each.observe(labels, (sample.durationMs - sample.firstTokenMs) / 1000 / later);
  };
}

function textMetrics(registers: Registry[], label: (model: string) => string): (sample: TextSample) => void {
  const total = new Counter({
    name: 'realm_text_seconds_total',
    help: 'Time spent on tokenising, templates and JSON, by model and kind of work',
    labelNames: ['model', 'job'],
    registers,
  });
  return ({ job, model, ms }) => total.inc({ model: model === undefined ? '' : label(model), job }, ms / 1000);
}

function modelMetrics(
  registers: Registry[],
  label: (model: string) => string,
): (samples: readonly ModelSample[]) => void {
  const gauge = (name: string, help: string, ...more: string[]) =>
    new Gauge({ name, help, labelNames: ['model', ...more], registers });
  const simple = {
    running: gauge('realm_sequences_running', 'Sequences being computed'),
    waiting: gauge('realm_sequences_waiting', 'Sequences waiting for their turn'),
    pagesTotal: gauge('realm_kv_pages', 'Pages of the KV cache'),
    pagesUsed: gauge('realm_kv_pages_used', 'Pages of the KV cache in use'),
    pagesCached: gauge('realm_kv_pages_cached', 'Pages in use that only keep prefixes for later requests'),
    promptTokens: gauge('realm_engine_prompt_tokens', 'Prompt tokens computed since the model was loaded'),
    completionTokens: gauge('realm_engine_completion_tokens', 'Tokens generated since the model was loaded'),
    draftedTokens: gauge('realm_engine_drafted_tokens', 'Tokens guessed since the model was loaded'),
    acceptedTokens: gauge('realm_engine_accepted_tokens', 'Guessed tokens that were right'),
    steps: gauge('realm_engine_steps', 'Steps since the model was loaded'),
    preemptedSteps: gauge(
      'realm_engine_abandoned_steps',
      'Steps that were given up for a tenant that had come meanwhile',
    ),
  };
  const memory = gauge('realm_model_memory_bytes', 'Memory of the model by use', 'kind');
  const devices = new Gauge({
    name: 'realm_device_memory_bytes',
    help: 'Memory that models take on a device',
    labelNames: ['device'],
    registers,
  });
  const keys = Object.keys(simple) as (keyof typeof simple)[];
  return samples => {
    // Models that are gone have no figures.
    for (const key of keys) simple[key].reset();
    memory.reset();
    devices.reset();
    for (const sample of samples) {
      const model = label(sample.model);
      for (const key of keys) simple[key].inc({ model }, sample[key]);
      for (const [kind, bytes] of Object.entries(sample.memory)) memory.inc({ model, kind }, bytes);
      const { host, gpu } = heldMemory(sample.memory);
      devices.inc({ device: 'cpu' }, host);
      if (gpu > 0) devices.inc({ device: sample.device ?? 'gpu:0' }, gpu);
    }
  };
}

function programMetrics(registers: Registry[]) {
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers });
  const processes = gauge('realm_program_processes', "Processes of tenants' own programs");
  const running = gauge('realm_program_runs', "Runs of tenants' own programs in these processes");
  const waiting = gauge('realm_program_runs_waiting', 'Runs that wait for a place in a process');
  const submissions = gauge('realm_program_submissions', 'Sequences that these runs have submitted to models');
  const memory = gauge('realm_program_memory_bytes', 'Resident memory of these processes');
  const cpu = gauge('realm_program_cpu_seconds', 'CPU time of these processes, ended ones too');
  const fuel = new Counter({
    name: 'realm_program_fuel_total',
    help: "Fuel that tenants' own programs have used",
    registers,
  });
  return {
    fuel: (used: number) => fuel.inc(used),
    now: (sample: SandboxStats) => {
      processes.set(sample.processes);
      running.set(sample.runs);
      waiting.set(sample.waiting);
      submissions.set(sample.submissions);
      memory.set(sample.residentBytes);
      cpu.set(sample.cpuMs / 1000);
    },
  };
}
