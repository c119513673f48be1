import { z } from 'zod';
import { check, issueText } from '../../tenancy/issues.ts';

/** What a client says on /v1/ws, as plain data that is cheap to hand to another thread. */
export type CallMessage =
  | { readonly kind: 'auth'; readonly key: string }
  | Call
  | (Named & { readonly kind: 'cancel' })
  /** `id`: as far as there is one. */
  | { readonly kind: 'wrong'; readonly id: CallId | null; readonly message: string; readonly param: string };

/** What has an answer. */
export type Call =
  | (Named & { readonly kind: 'generate' | 'pipeline'; readonly generate: Generate })
  | (Named & { readonly kind: 'health' | 'metadata' });

export interface Named {
  readonly id: CallId;
  /** Whose the client takes itself for. */
  readonly tenant?: string | undefined;
}

/** What a client calls its call; answers have it as it was sent. */
export type CallId = string | number;

export interface Generate {
  readonly path: '/v1/chat/completions' | '/v1/completions' | `/v1/pipelines/${string}`;
  /** The route's body, which it is to judge. */
  readonly body: Uint8Array<ArrayBuffer>;
  /** The client wants the answer's pieces as they come. */
  readonly stream: boolean;
}

const id = z.union([z.string().min(1).max(128), z.int()]);

const auth = z.strictObject({
  type: z.literal('auth'),
  api_key: z.string().max(1024),
  tenant_id: z.string().optional(),
});

export const functions = ['generate', 'pipeline', 'health', 'metadata', 'cancel'] as const;

const call = z.strictObject({
  id,
  function: z.enum(functions),
  params: z.record(z.string(), z.unknown()).default({}),
  tenant_id: z.string().optional(),
});

/** A message that is no call is one too: whoever sent it hears what is wrong with it. */
export const callMessageSchema = z.unknown().transform(toMessage);

function toMessage(value: unknown): CallMessage {
  const said = (value ?? {}) as { type?: unknown; id?: unknown };
  const known = id.safeParse(said.id).data ?? null;
  if (said.type !== undefined) {
    const result = check(auth, value);
    return 'value' in result ? { kind: 'auth', key: result.value.api_key } : wrong(known, result.issues);
  }
  const result = check(call, value);
  return 'value' in result ? toCall(result.value) : wrong(known, result.issues);
}

function wrong(id: CallId | null, issues: readonly { path: string; message: string }[]): CallMessage {
  return { kind: 'wrong', id, message: issues.map(issueText).join('; '), param: issues[0]?.path ?? '' };
}

function toCall({ id, function: kind, params, tenant_id: tenant }: z.output<typeof call>): CallMessage {
  if (kind === 'generate') return toGenerate(id, tenant, params);
  if (kind === 'pipeline') return toRun(id, tenant, params);
  return { kind, id, tenant };
}

const run = z.strictObject({
  name: z.string().min(1),
  input: z.unknown().optional(),
  stream: z.boolean().default(true),
});

const encoder = new TextEncoder();

function toRun(id: CallId, tenant: string | undefined, params: Record<string, unknown>): CallMessage {
  const result = check(run, params);
  if (!('value' in result)) return wrong(id, result.issues);
  const { name, input, stream } = result.value;
  const body = encoder.encode(JSON.stringify({ input, stream: true }));
  const path = `/v1/pipelines/${encodeURIComponent(name)}` as const;
  return { kind: 'pipeline', id, tenant, generate: { path, body, stream } };
}

/** A chat has messages, a completion a prompt. Both are streamed from the route: the connection is told of each piece. */
function toGenerate(id: CallId, tenant: string | undefined, params: Record<string, unknown>): CallMessage {
  const { stream = true, messages, prompt } = params;
  const mistakes = [
    ...(messages === undefined && prompt === undefined
      ? [{ path: 'messages', message: 'is required, or prompt' }]
      : []),
    ...(messages !== undefined && prompt !== undefined
      ? [{ path: 'prompt', message: 'send either messages or prompt' }]
      : []),
    ...(typeof stream !== 'boolean' ? [{ path: 'stream', message: 'must be true or false' }] : []),
  ];
  if (mistakes.length > 0) return wrong(id, mistakes);
  const body = encoder.encode(JSON.stringify({ ...params, stream: true, stream_options: { include_usage: true } }));
  const path = messages === undefined ? '/v1/completions' : '/v1/chat/completions';
  return { kind: 'generate', id, tenant, generate: { path, body, stream: stream as boolean } };
}
