import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { EngineUsage } from '../engine/request.ts';
import type { EngineStats } from '../engine/types.ts';
import type { SandboxStats } from '../sandbox/types.ts';
import { memoryByKind, processMemory } from './memory.ts';
import { type RateMetrics, rateMetrics } from './rate-metrics.ts';

/** One finished request, as counted. Times in milliseconds. */
export interface RequestSample extends EngineUsage {
  readonly route: string;
  readonly status: number;
  readonly model?: string | undefined;
  readonly durationMs: number;
  readonly firstTokenMs?: number | undefined;
}

/** One piece of work on text: tokenising, templates, JSON. */
export interface TextSample {
  readonly job: string;
  /** Absent: of no model. */
  readonly model: string | undefined;
  readonly ms: number;
}

/** The state of one loaded model when metrics are read. */
export type ModelSample = EngineStats & { readonly model: string };

export interface Metrics {
  readonly contentType: string;
  request(sample: RequestSample): void;
  text(sample: TextSample): void;
  readonly rates: RateMetrics;
  /** The Prometheus text page. */
  page(models: readonly ModelSample[], programs: SandboxStats, openRequests: number): Promise<string>;
}

const seconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
const tokenSeconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/** Metrics of one server, in a registry of its own. They add up over tenants: no label says whose a request was. */
export function createMetrics(): Metrics {
  const register = new Registry();
  const registers = [register];
  // The default looks every 10 ms, which takes half a percent of a machine that computes on all its cores.
  collectDefaultMetrics({ register, eventLoopMonitoringPrecision: 100 });
  const requests = requestMetrics(registers);
  const models = modelMetrics(registers);
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
    request: requests,
    text: textMetrics(registers),
    rates: rateMetrics(registers),
    page: (samples, programStats, openRequests) => {
      models(samples);
      programs(programStats);
      const kinds = memoryByKind(
        samples.map(sample => sample.memory),
        processMemory(),
      );
      for (const [kind, bytes] of Object.entries(kinds)) memory.set({ kind }, bytes);
      open.set(openRequests);
      return register.metrics();
    },
  };
}

function requestMetrics(registers: Registry[]): (sample: RequestSample) => void {
  const route = ['route'];
  const total = new Counter({
    name: 'realm_requests_total',
    help: 'Finished requests',
    labelNames: ['route', 'status'],
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
    if (sample.model === undefined) return;
    tokens.inc({ model: sample.model, kind: 'prompt' }, sample.promptTokens);
    tokens.inc({ model: sample.model, kind: 'cached' }, sample.cachedTokens);
    tokens.inc({ model: sample.model, kind: 'completion' }, sample.completionTokens);
    if (sample.firstTokenMs === undefined) return;
    first.observe(labels, sample.firstTokenMs / 1000);
    const later = sample.completionTokens - 1;
    if (later > 0) each.observe(labels, (sample.durationMs - sample.firstTokenMs) / 1000 / later);
  };
}

function textMetrics(registers: Registry[]): (sample: TextSample) => void {
  const total = new Counter({
    name: 'realm_text_seconds_total',
    help: 'Time spent on tokenising, templates and JSON, by model and kind of work',
    labelNames: ['model', 'job'],
    registers,
  });
  return ({ job, model = '', ms }) => total.inc({ model, job }, ms / 1000);
}

function modelMetrics(registers: Registry[]): (samples: readonly ModelSample[]) => void {
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
  return samples => {
    for (const sample of samples) {
      const { model } = sample;
      for (const key of Object.keys(simple) as (keyof typeof simple)[]) simple[key].set({ model }, sample[key]);
      for (const [kind, bytes] of Object.entries(sample.memory)) memory.set({ model, kind }, bytes);
    }
  };
}

function programMetrics(registers: Registry[]): (sample: SandboxStats) => void {
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers });
  const processes = gauge('realm_program_processes', "Processes of tenants' own programs");
  const memory = gauge('realm_program_memory_bytes', 'Resident memory of these processes');
  const cpu = gauge('realm_program_cpu_seconds', 'CPU time of these processes, ended ones too');
  return sample => {
    processes.set(sample.processes);
    memory.set(sample.residentBytes);
    cpu.set(sample.cpuMs / 1000);
  };
}
