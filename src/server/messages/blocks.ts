import { z } from 'zod';
import { inputSchema } from '../../tenancy/schema.ts';
import { ignored, ofType, optional } from '../fields.ts';
import { refuseMedia } from '../media.ts';

/** Content of the Messages API: a text, or blocks. */

const cache_control = ignored();

const textBlock = z.object({ type: z.literal('text'), text: z.string(), cache_control, citations: ignored() });

/** Blocks of other kinds are refused by their name. */
function blocksOf<const Blocks extends readonly [z.core.$ZodTypeDiscriminable, ...z.core.$ZodTypeDiscriminable[]]>(
  blocks: Blocks,
) {
  const block = z.discriminatedUnion('type', blocks, {
    error: ({ code, input }) => {
      if (code !== 'invalid_union') return undefined;
      const { type } = input as { type?: unknown };
      return type === undefined ? 'is required' : `${JSON.stringify(type)} is not supported; send text`;
    },
  });
  const list = z.array(block, { error: ofType('must be a string or a list of blocks') });
  // A union of both would not say which block is wrong.
  return z
    .unknown()
    .transform((value, context) => {
      if (typeof value === 'string') return [{ type: 'text', text: value }];
      return refuseMedia(value, context, 'text') ? z.NEVER : value;
    })
    .pipe(list)
    .meta({ anyOf: [{ type: 'string' }, inputSchema(list)] });
}

/** Of a system prompt or the result of a tool. */
export const contentSchema = blocksOf([textBlock]);

const toolResult = z.object({
  type: z.literal('tool_result'),
  tool_use_id: z.string(),
  content: optional(contentSchema),
  is_error: optional(z.boolean()),
  toolset_name: ignored(),
  cache_control,
});

const toolUse = z.object({
  type: z.literal('tool_use'),
  id: z.string(),
  name: z.string(),
  input: z.record(z.string(), z.unknown()),
  caller: ignored(),
  toolset_name: ignored(),
  cache_control,
});

const thinking = z.object({ type: z.literal('thinking'), thinking: z.string(), signature: ignored() });
/** Thoughts that only Anthropic can read. */
const redactedThinking = z.object({ type: z.literal('redacted_thinking') });

export const messageSchema = z.discriminatedUnion('role', [
  z.object({ role: z.literal('user'), content: blocksOf([textBlock, toolResult]) }),
  z.object({ role: z.literal('assistant'), content: blocksOf([textBlock, toolUse, thinking, redactedThinking]) }),
  /** Claude Code sends it between the others. */
  z.object({ role: z.literal('system'), content: contentSchema }),
]);

export type Message = z.output<typeof messageSchema>;
type BlockOf<Role> = Extract<Message, { role: Role }>['content'][number];
export type UserBlock = BlockOf<'user'>;
export type AssistantBlock = BlockOf<'assistant'>;
export type TextBlock = BlockOf<'system'>;
