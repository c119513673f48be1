import { z } from 'zod';
import { hashPattern } from './keys.ts';
import { tenantDefaults } from './tenants.ts';

/** The shape of `realm.yaml`. Unknown keys are mistakes everywhere. */

export const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, {
  error: 'must be 1 to 64 letters, digits, dots, dashes or underscores, beginning with a letter or digit',
});

const count = (least: number, most: number) => z.int().min(least).max(most);

/** Limits of one request (or, drain_ms, of stopping the server). */
export const limitsSchema = z.strictObject({
  body_bytes: count(1024, 1 << 30).default(1 << 20),
  messages: count(1, 100_000).default(1024),
  choices: count(1, 128).default(8),
  inputs: count(1, 100_000).default(2048),
  drain_ms: count(0, 3_600_000).default(10_000),
});

const keys = z
  .array(z.string().regex(hashPattern, { error: 'must be sha256: and 64 hex digits, as `realm keys create` prints' }))
  .min(1);

const server = z.strictObject({
  host: z.string().min(1).default('127.0.0.1'),
  port: count(0, 65_535).default(8080),
  /** Who may read /metrics: programs on this machine, or everyone who reaches the port. */
  metrics: z.enum(['local', 'public']).default('local'),
  /** Of whoever may load and unload adapters. */
  admin_keys: keys.optional(),
  limits: limitsSchema.prefault({}),
  /** Where saved sequences lie; absent: none are saved. */
  sessions: z
    .strictObject({
      path: z.string().min(1),
      per_tenant: count(1, 100_000).default(16),
      megabytes_per_tenant: count(1, 1 << 20).default(1024),
    })
    .optional(),
});

const sampling = z.strictObject({
  temperature: z.number().min(0).max(2).optional(),
  top_k: count(0, 1_000_000).optional(),
  top_p: z.number().min(0).max(1).optional(),
  min_p: z.number().min(0).max(1).optional(),
  repetition_penalty: z.number().positive().max(10).optional(),
  presence_penalty: z.number().min(-2).max(2).optional(),
  frequency_penalty: z.number().min(-2).max(2).optional(),
});

const adapter = z.strictObject({
  id: name,
  path: z.string().min(1),
  /** Who may use it; absent: everyone. */
  tenants: z.array(name).min(1).optional(),
});

const model = z.strictObject({
  id: name,
  path: z.string().min(1).optional(),
  catalog: z.string().min(1).optional(),
  /** Most tokens of one sequence; default: what the model was trained for, within the engine's default. */
  context: count(64, 1 << 24).optional(),
  /** What the KV cache holds; default f16. */
  kv_cache: z.enum(['f16', 'q8_0']).optional(),
  /** Whether tokens are guessed and checked several at once; it changes no output. Default lookup. */
  speculation: z.enum(['off', 'lookup']).optional(),
  /** How long those that stream wait in a step for others' prompts; default 40. */
  prefill_ms: count(1, 60_000).optional(),
  /** How long tokens of quick steps may wait to be sent together; default 40, 0: not at all. */
  stream_interval_ms: count(0, 1000).optional(),
  /** A smaller model of the same vocabulary that guesses where the prompt does not say. */
  draft: z.strictObject({ path: z.string().min(1).optional(), catalog: z.string().min(1).optional() }).optional(),
  /** System prompts whose cached pages all tenants share; nothing else is ever shared. */
  shared_prompts: z.array(z.string().min(1)).optional(),
  /** System prompt of requests that have none. */
  system: z.string().optional(),
  /** Sampling of requests that do not say. */
  sampling: sampling.optional(),
  adapters: z.array(adapter).optional(),
});

const tenant = z.strictObject({
  id: name,
  keys,
  /** Of the requests that do not name another; its model is the one it was loaded for. */
  adapter: name.optional(),
  program: z.string().min(1).optional(),
  memory_mb: count(1, 4096).default(tenantDefaults.memoryMb),
  deadline_ms: count(1, 86_400_000).default(tenantDefaults.deadlineMs),
  /** How long a request may wait before its first step; absent: as long as it may take. */
  queue_ms: count(1, 86_400_000).optional(),
  /** Requests that may wait, for each model; the engine's default where absent. */
  max_queued: count(1, 1_000_000).optional(),
  /** Its share of a model beside other tenants' that want it too. */
  weight: z.number().min(0.01).max(100).optional(),
});

export const configSchema = z.strictObject({
  server: server.prefault({}),
  models: z.array(model).min(1).optional(),
  tenants: z.array(tenant).min(1).optional(),
});

export type ConfigDocument = z.output<typeof configSchema>;
export type ModelDocument = z.output<typeof model>;
