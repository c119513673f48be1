import { z } from 'zod';
import { ignored, optional } from '../fields.ts';
import { refuseMedia } from '../media.ts';
import { unseal } from './sealed.ts';

/** The items of a conversation as the Responses API writes them, after {@link itemList} has read them. */
export type Item = MessageItem | FunctionCallItem | FunctionCallOutputItem | ReasoningItem | CompactionItem;

export interface MessageItem {
  readonly type: 'message';
  readonly id?: string | undefined;
  readonly status: ItemStatus;
  readonly role: 'user' | 'assistant' | 'system' | 'developer';
  readonly content: readonly TextPart[];
  readonly phase?: string | undefined;
}

export interface FunctionCallItem {
  readonly type: 'function_call';
  readonly id?: string | undefined;
  readonly status: ItemStatus;
  readonly call_id: string;
  readonly name: string;
  /** JSON text. */
  readonly arguments: string;
}

export interface FunctionCallOutputItem {
  readonly type: 'function_call_output';
  readonly id?: string | undefined;
  readonly status: ItemStatus;
  readonly call_id: string;
  readonly output: string;
}

export interface ReasoningItem {
  readonly type: 'reasoning';
  readonly id?: string | undefined;
  readonly summary: readonly TextPart[];
  readonly content?: readonly TextPart[] | undefined;
  readonly encrypted_content?: string | undefined;
}

export interface CompactionItem {
  readonly type: 'compaction';
  readonly id?: string | undefined;
  readonly encrypted_content: string;
}

/** Stands for an item of a stored response. */
export interface ItemReference {
  readonly type: 'item_reference';
  readonly id: string;
}

export type ItemStatus = 'in_progress' | 'completed' | 'incomplete';

export interface TextPart {
  readonly type: string;
  readonly text: string;
  readonly annotations?: readonly unknown[];
  readonly logprobs?: readonly unknown[];
}

/** The texts of parts, one behind the other. */
export const textOf = (parts: readonly TextPart[]): string => parts.map(({ text }) => text).join('');

const partTypes = ['input_text', 'output_text', 'text', 'summary_text', 'reasoning_text', 'refusal'];

/** A string, or parts that are text; of wrong parts the first is named, there may be very many. */
const content = z.unknown().transform((value, context): TextPart[] => {
  if (typeof value === 'string') return [{ type: 'text', text: value }];
  const refuse = (message: string, ...path: (string | number)[]) => {
    context.addIssue({ code: 'custom', message, path });
    return z.NEVER;
  };
  if (value === undefined || value === null) return refuse('is required');
  if (!Array.isArray(value)) return refuse('must be a string or a list of text parts');
  if (refuseMedia(value, context, 'input_text')) return z.NEVER;
  const parts: TextPart[] = [];
  for (const [i, part] of (value as { type?: unknown; text?: unknown; refusal?: unknown }[]).entries()) {
    if (typeof part !== 'object' || part === null) return refuse('must be an object', i);
    if (!partTypes.includes(part.type as string))
      return refuse(`${JSON.stringify(part.type) ?? 'nothing'} is not supported; send input_text`, i, 'type');
    const text = part.type === 'refusal' ? part.refusal : part.text;
    if (typeof text !== 'string') return refuse('must be a string', i, part.type === 'refusal' ? 'refusal' : 'text');
    parts.push({ type: part.type as string, text });
  }
  return parts;
});

const id = optional(z.string());
const status = z
  .unknown()
  .optional()
  .transform((): ItemStatus => 'completed');

const message = z
  .object({
    type: z.literal('message'),
    id,
    status,
    role: z.enum(['user', 'assistant', 'system', 'developer']),
    content,
    phase: optional(z.enum(['commentary', 'final_answer'])),
  })
  .transform((item): MessageItem => ({ ...item, content: item.content.map(part => ofRole(item.role, part)) }));

const ofRole = (role: string, { text }: TextPart): TextPart =>
  role === 'assistant' ? { type: 'output_text', text, annotations: [] } : { type: 'input_text', text };

const callId = z.string().min(1);

const functionCall = z.object({
  type: z.literal('function_call'),
  id,
  status,
  call_id: callId,
  name: z.string().min(1),
  arguments: z.string(),
});

const functionCallOutput = z.object({
  type: z.literal('function_call_output'),
  id,
  status,
  call_id: callId,
  output: content.transform(textOf),
  caller: ignored(),
});

const reasoning = z
  .object({
    type: z.literal('reasoning'),
    id,
    status: ignored(),
    summary: optional(content),
    content: optional(content),
    encrypted_content: optional(z.string()),
  })
  .transform((item): ReasoningItem => ({ ...item, summary: item.summary ?? [] }));

const compaction = z.object({
  type: z.literal('compaction'),
  id,
  encrypted_content: z
    .string()
    .refine(text => unseal(text) !== undefined, { error: 'was not made by this server; send the items themselves' }),
});

const reference = z.object({ type: z.literal('item_reference'), id: z.string() });

const known = [message, functionCall, functionCallOutput, reasoning, compaction, reference] as const;
const typed = z.discriminatedUnion('type', known, { error: unknownType });

function unknownType({ code, input }: { code: string; input?: unknown }): string | undefined {
  if (code !== 'invalid_union') return undefined;
  const { type } = (input ?? {}) as { type?: unknown };
  return `has the type ${JSON.stringify(type) ?? 'nothing'}, which is not supported`;
}

/** A message may leave its type out; so may a reference, which has an id and nothing else. */
function withType(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || (value as { type?: unknown }).type != null) return value;
  return { ...value, type: 'role' in value ? 'message' : 'item_reference' };
}

const item: z.ZodType<Item | ItemReference> = z.preprocess(withType, typed);

/** A text is one user's message. At most `most` items; they are counted before any of them is looked at. */
export function itemList(most: number) {
  return z
    .unknown()
    .optional()
    .transform(value => (typeof value === 'string' ? [{ role: 'user', content: value }] : (value ?? [])))
    .pipe(z.array(z.unknown(), { error: 'must be a string or a list of items' }).max(most))
    .pipe(z.array(item));
}
