import { z } from 'zod';
import { type DeviceChoice, deviceRefusal, isDeviceChoice } from '../backend/device.ts';
import { injected } from '../output-format/tool-prompt.ts';
import { isWithin, outside, type Range, ranges } from '../ranges.ts';
import { hashPattern } from './keys.ts';
import { limitBounds } from './program-limits.ts';
import { isProgramPath, programRef } from './program-ref.ts';

/** The shape of `realm.yaml`. Unknown keys are mistakes everywhere. */

export const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, {
  error: 'must be 1 to 64 letters, digits, dots, dashes or underscores, beginning with a letter or digit',
});

/** What a request may call a model or an adapter: names of repositories and tags too. No path is made of it. */
export const modelName = z
  .string()
  .max(128)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*(?:[/:][A-Za-z0-9_][A-Za-z0-9._-]*)*$/, {
    error: 'must be letters, digits, dots, dashes or underscores, in parts between single slashes or colons',
  });

/** A number as the table of ranges has it. */
export function within(range: Range) {
  return z.number().refine(value => isWithin(value, range), { error: ({ input }) => outside(input as number, range) });
}

/** What a schema takes, as JSON Schema. */
export function inputSchema(schema: z.ZodType): object {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return json;
}

const count = (least: number, most: number) => z.int().min(least).max(most);

/** Limits of one request; lame_duck_ms and drain_ms: of stopping the server; connections: WebSockets, in all and of a tenant. */
export const limitsSchema = z.strictObject({
  body_bytes: count(1024, 1 << 30).default(8 << 20),
  messages: count(1, 100_000).default(1024),
  choices: count(1, 128).default(8),
  inputs: count(1, 100_000).default(2048),
  lame_duck_ms: count(0, 3_600_000).default(0),
  drain_ms: count(0, 3_600_000).default(10_000),
  connections: count(1, 1_000_000).default(4096),
  tenant_connections: count(1, 1_000_000).default(1024),
});

export const share = z.number().min(0).max(1);
export const logLevel = z.enum(['debug', 'info', 'warn', 'error']);

const keys = z
  .array(z.string().regex(hashPattern, { error: 'must be sha256: and 64 hex digits, as `realm keys create` prints' }))
  .min(1);

/** An origin exactly as a browser sends it; `app://*` for all pages of a kind of app; `*` for every page there is. */
const origin = z.string().refine(isOrigin, {
  error: 'must be "*", an origin as browsers send it (https://app.example, http://localhost:3000), or app://*',
});

function isOrigin(text: string): boolean {
  if (/^https?:/.test(text)) return !text.includes('*') && URL.parse(text)?.origin === text;
  return text === '*' || /^[a-z][a-z0-9+.-]*:\/\/(\*|[^/*\s]*)$/.test(text);
}

const server = z.strictObject({
  host: z.string().min(1).default('127.0.0.1'),
  port: count(0, 65_535).default(8080),
  /** Who may read /metrics: programs on this machine (with tenants: whoever has an admin key), or everyone who reaches the port. */
  metrics: z.enum(['local', 'public']).default('local'),
  /** Of whoever may load and unload adapters. */
  admin_keys: keys.optional(),
  limits: limitsSchema.prefault({}),
  /** Which lines are written; the admin API changes it while the server runs. */
  log: z
    .strictObject({
      level: logLevel.default('info'),
      /** Of answered requests; refusals and failures all have a line. */
      sample: share.default(1),
    })
    .prefault({}),
  telemetry: z
    .strictObject({
      /** Where traces go, by OpenTelemetry's protocol over HTTP. */
      otlp: z
        .string()
        .regex(/^https?:\/\//, { error: 'must be a URL that begins with http:// or https://' })
        .optional(),
      /** The share of traces that begin here and are sent; the callers decide about their own. */
      sample: share.default(1),
    })
    .prefault({}),
  /** Where keys, budgets and usage are kept: a SQLite file, a URL of PostgreSQL, or `memory`; default `realm.db` beside this file. */
  store: z.string().min(1).optional(),
  /** What all models may take together; absent: what is free when the server starts. */
  memory_mb: count(1, 1 << 30).optional(),
  /** A URL of Redis, through which servers share limits of rates; absent: each has its own. */
  redis: z
    .string()
    .regex(/^rediss?:\/\//, { error: 'must be a URL that begins with redis:// or rediss://' })
    .optional(),
  /** Who is told that budgets run out; only these addresses are ever asked. */
  webhooks: z
    .array(
      z.strictObject({
        url: z.url({ protocol: /^https?$/, error: 'must be a URL of http or https' }),
        secret: z.string().min(16),
      }),
    )
    .optional(),
  /** How long an engine may stand still in the middle of a step before it is ended and started again. */
  watchdog_ms: count(100, 3_600_000).default(30_000),
  /** When an engine gives up guesses, then sessions: so many requests wait, or so little memory is left, for so long. */
  brown_out: z
    .strictObject({
      waiting: count(1, 1e9).default(32),
      memory_mb: count(0, 1 << 24).default(64),
      after_ms: count(1, 3_600_000).default(3_000),
    })
    .prefault({}),
  programs: z
    .strictObject({
      /** Processes in which tenants' own programs run, of all tenants together. */
      workers: count(1, 256).default(2),
      /** Older servers had one for each tenant; it means nothing any more. */
      processes: count(1, 10_000).optional(),
      /** Resident memory of all of them; default: a quarter of the machine's. */
      memory_mb: count(128, 1 << 24).optional(),
    })
    .prefault({}),
  /** Where files of models and adapters may lie; absent: anywhere. */
  folders: z.array(z.string().min(1)).min(1).optional(),
  /** Pages that may ask from a browser; absent: what browsers allow by themselves. */
  origins: z.array(origin).min(1).optional(),
  /** How long a connection may lie idle between two requests. */
  keep_alive_ms: count(1, 3_600_000).default(75_000),
  /** How long a stream may be silent before it says that it lives. */
  heartbeat_ms: count(10, 3_600_000).default(15_000),
  /** What each tenant may keep of its responses for later requests; in memory. */
  responses: z
    .strictObject({
      per_tenant: count(0, 1_000_000).default(1000),
      megabytes_per_tenant: count(1, 1 << 20).default(64),
      keep_hours: count(1, 24 * 365).default(24),
    })
    .prefault({}),
  /** Where saved sequences lie; absent: none are saved. */
  sessions: z
    .strictObject({
      path: z.string().min(1),
      per_tenant: count(1, 100_000).default(16),
      megabytes_per_tenant: count(1, 1 << 20).default(1024),
    })
    .optional(),
});

/** What so many tokens cost, in the unit of `money` budgets. */
const price = z.strictObject({
  /** For a million tokens of prompts that had to be computed. */
  input: z.number().min(0).max(1e6).default(0),
  /** For a million tokens of prompts that the cache had; default: as `input`. */
  cached: z.number().min(0).max(1e6).optional(),
  output: z.number().min(0).max(1e6).default(0),
});

/** The most that may be used in a period of the calendar (UTC), or ever. */
export const budgetSchema = z.strictObject({
  unit: z.enum(['tokens', 'requests', 'money']),
  limit: z.number().min(0).max(1e15),
  period: z.enum(['day', 'month', 'total']),
  /** Of this model only; absent: of all. */
  model: modelName.optional(),
});

/** How fast; what is left out is not limited. */
export const rateSchema = z.strictObject({
  requests_per_minute: count(1, 1e9).optional(),
  tokens_per_minute: count(1, 1e12).optional(),
  /** Requests that are being answered at once. */
  concurrent: count(1, 1e6).optional(),
});

const sampling = z.strictObject({
  temperature: within(ranges.temperature).optional(),
  top_k: within(ranges.topK).optional(),
  top_p: within(ranges.topP).optional(),
  min_p: within(ranges.minP).optional(),
  repetition_penalty: within(ranges.repetitionPenalty).optional(),
  presence_penalty: within(ranges.presencePenalty).optional(),
  frequency_penalty: within(ranges.frequencyPenalty).optional(),
});

const adapter = z.strictObject({
  id: modelName,
  path: z.string().min(1),
  /** Who may use it; absent: everyone. */
  tenants: z.array(name).min(1).optional(),
});

/** What the operator may change of a model while it is served. */
export const modelSettings = {
  /** How long it stays without requests; default 300 with `load: demand`, otherwise for ever. */
  idle_seconds: z.number().min(0).max(1e9).optional(),
  /** Stays whatever others need. */
  pinned: z.boolean().optional(),
  /** Other names of it. */
  aliases: z.array(modelName).max(100).optional(),
};

export const modelSchema = z.strictObject({
  id: modelName,
  path: z.string().min(1).optional(),
  catalog: z.string().min(1).optional(),
  /** Most tokens of one sequence; default: what the model was trained for, as far as the memory reaches. */
  context: within(ranges.context).optional(),
  /** Tokens that the KV cache holds over all sequences; default: four contexts, at most 1 GiB, at least one context. */
  kv_tokens: within(ranges.context).optional(),
  /** What the KV cache holds; default f16. */
  kv_cache: z.enum(['f16', 'q8_0']).optional(),
  /** Where it is computed: a GPU that passes the self-test or else the CPU (auto), cpu, gpu, gpu:N. Default auto. */
  device: z.custom<DeviceChoice>(isDeviceChoice, { error: ({ input }) => deviceRefusal(String(input)) }).optional(),
  /** The last so many layers on a GPU, the others on the CPU; default: as many as fit. */
  gpu_layers: within(ranges.gpuLayers).optional(),
  /** Whether tokens that no constraint forces are guessed and checked several at once; it changes no output. Default lookup. */
  speculation: z.enum(['off', 'lookup']).optional(),
  /** How long those that stream wait in a step for others' prompts; default 40. */
  prefill_ms: count(1, 60_000).optional(),
  first_prefill_ms: count(1, 60_000).optional(),
  /** How long tokens of quick steps may wait to be sent together; default 40, 0: not at all. */
  stream_interval_ms: count(0, 1000).optional(),
  /** A smaller model of the same vocabulary that guesses where the prompt does not say. */
  draft: z.strictObject({ path: z.string().min(1).optional(), catalog: z.string().min(1).optional() }).optional(),
  /** System prompts whose cached pages all tenants share; nothing else is ever shared. */
  shared_prompts: z.array(z.string().min(1)).optional(),
  /** System prompt of requests that have none. */
  system: z.string().optional(),
  /** In the place of the file's: the template itself, or the path of a file with it. */
  chat_template: z.string().min(1).optional(),
  /** How the model is told to write calls of tools, in the place of its template's way. */
  tool_format: z.enum(Object.keys(injected)).optional(),
  /** Sampling of requests that do not say. */
  sampling: sampling.optional(),
  adapters: z.array(adapter).optional(),
  price: price.optional(),
  /** Loaded when the server starts, or when the first request wants it. */
  load: z.enum(['start', 'demand']).default('start'),
  ...modelSettings,
});

/** What programs and pipelines may ask of the world outside: one URL, or a pipeline of the server's. */
const tool = z.union([
  z.strictObject({
    name,
    description: z.string().max(4096).optional(),
    url: z.url({ protocol: /^https?$/, error: 'must be a URL of http or https' }),
    method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']).default('POST'),
    headers: z
      .record(z.string().regex(/^[\w!#$%&'*+.^`|~-]+$/, { error: 'must be the name of a header' }), z.string())
      .default({}),
    timeout_ms: count(1, 600_000).default(10_000),
    max_bytes: count(1, 1 << 26).default(1 << 20),
    /** JSON Schema of what it is given; absent: anything. */
    input: z.record(z.string(), z.unknown()).optional(),
  }),
  z.strictObject({ name, description: z.string().max(4096).optional(), pipeline: name }),
]);

/** What one run of a tenant's program may use, `runs` how many there are at once, `saved_*` what they keep for later ones. */
export const programLimitsSchema = z.strictObject({
  fuel: count(...limitBounds.fuel).optional(),
  host_calls: count(...limitBounds.hostCalls).optional(),
  output_bytes: count(...limitBounds.outputBytes).optional(),
  runs: count(...limitBounds.runs).optional(),
  sequences: count(...limitBounds.sequences).optional(),
  forks: count(...limitBounds.forks).optional(),
  tickets: count(...limitBounds.tickets).optional(),
  saved_sequences: count(...limitBounds.savedSequences).optional(),
  saved_bytes: count(...limitBounds.savedBytes).optional(),
});

/** What may be said of a tenant, wherever it is kept. */
export const tenantFields = {
  /** Of the requests that do not name another; its model is the one it was loaded for. */
  adapter: modelName.optional(),
  memory_mb: count(...limitBounds.memoryMb).optional(),
  deadline_ms: count(...limitBounds.deadlineMs).optional(),
  program_limits: programLimitsSchema.optional(),
  /** How long a request may wait before its first step; absent: as long as it may take. */
  queue_ms: count(1, 86_400_000).optional(),
  /** Requests that may wait, for each model; the engine's default where absent. */
  max_queued: count(1, 1_000_000).optional(),
  /** Its share of a model beside other tenants' that want it too. */
  weight: z.number().min(0.01).max(100).optional(),
  /** Reads control tokens in messages as if the chat template had written them. */
  parse_special: z.boolean().optional(),
  /** At level debug its requests' messages and answers are in the log. */
  debug: z.boolean().optional(),
  budgets: z.array(budgetSchema).optional(),
  rate: rateSchema.optional(),
  /** Pipelines that it may run; absent: all. */
  pipelines: z.array(name).max(1000).optional(),
  /** Names of those that its programs and pipelines may call; absent: none. */
  tools: z.array(name).max(1000).optional(),
};

const tenant = z.strictObject({
  id: name,
  /** Absent: only those that were created at run time. */
  keys: keys.optional(),
  /** A file, or the name of one that was uploaded or comes with Realm. */
  program: z
    .union([z.string().refine(isProgramPath), programRef], {
      error: 'must be a path that ends in .wasm or has a slash, or the name of a program, as summary or summary@3',
    })
    .optional(),
  ...tenantFields,
});

export const configSchema = z.strictObject({
  server: server.prefault({}),
  models: z.array(modelSchema).min(1).optional(),
  tools: z.array(tool).optional(),
  tenants: z.array(tenant).min(1).optional(),
  /** A folder whose YAML and JSON files are pipelines, or a list of files and folders. */
  pipelines: z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]).optional(),
});

export type ConfigDocument = z.output<typeof configSchema>;
/** `program`: a name. */
export type TenantDocument = Omit<z.output<typeof tenant>, 'id' | 'keys'>;
export type ToolDocument = z.output<typeof tool>;
export type ModelDocument = z.output<typeof modelSchema>;
