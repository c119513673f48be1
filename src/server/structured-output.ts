import { z } from 'zod';
import type { AnswerSource, ConstraintSource } from '../output-format/constraint-source.ts';
import { ignored, optional } from './fields.ts';

/** What clients call the forms that an answer must have: OpenAI, vLLM and llama-server each in their own way. */

/** What the text of an answer must be. */
export type ContentSource = Exclude<ConstraintSource, AnswerSource>;

const schemaError = {
  error: ({ input }: { input?: unknown }) => (input === undefined ? 'is required' : 'must be a JSON Schema'),
};
/** A schema is an object or a boolean; clients also send it as its JSON text. */
const jsonSchema = z
  .union([z.record(z.string(), z.unknown()), z.boolean(), z.string()], schemaError)
  .transform((given, context): ContentSource => {
    if (typeof given !== 'string') return { kind: 'json_schema', schema: JSON.stringify(given) };
    if (isJson(given)) return { kind: 'json_schema', schema: given };
    context.addIssue({ code: 'custom', message: 'must be a JSON Schema' });
    return z.NEVER;
  });

const regex = z.string().transform((pattern): ContentSource => ({ kind: 'regex', pattern }));
const choice = z
  .array(z.string())
  .min(1)
  .transform((choices): ContentSource => ({ kind: 'choice', choices }));
/** vLLM takes both kinds; only GBNF's rules have `::=`. */
const grammar = z
  .string()
  .transform((text): ContentSource => ({ kind: text.includes('::=') ? 'gbnf' : 'lark', grammar: text }));
const gbnf = z.string().transform((text): ContentSource => ({ kind: 'gbnf', grammar: text }));
const whether = z
  .boolean()
  .transform((wanted): ContentSource | undefined => (wanted ? { kind: 'json_object' } : undefined));

const responseFormat = z
  .discriminatedUnion(
    'type',
    [
      z.object({ type: z.literal('text') }),
      z.object({ type: z.literal('json_object'), schema: optional(jsonSchema) }),
      z.object({
        type: z.literal('json_schema'),
        json_schema: z.object({
          name: ignored(),
          description: ignored(),
          schema: jsonSchema,
          strict: ignored(),
        }),
      }),
    ],
    { error: issue => (issue.code === 'invalid_union' ? 'must be "text", "json_object" or "json_schema"' : undefined) },
  )
  .transform((format): ContentSource | undefined => {
    if (format.type === 'text') return undefined;
    return format.type === 'json_object' ? (format.schema ?? { kind: 'json_object' }) : format.json_schema.schema;
  });

const one = z.object({
  json: optional(jsonSchema),
  regex: optional(regex),
  choice: optional(choice),
  grammar: optional(grammar),
  json_object: optional(whether),
});

/** Of vLLM and llama-server; plain completions have them too. */
export const structuredFields = {
  response_format: optional(responseFormat),
  structured_outputs: optional(one),
  guided_json: optional(jsonSchema),
  guided_regex: optional(regex),
  guided_choice: optional(choice),
  guided_grammar: optional(grammar),
  json_schema: optional(jsonSchema),
  grammar: optional(gbnf),
};

type StructuredFields = z.output<z.ZodObject<typeof structuredFields>>;

/** The one form that the fields ask for. Of two, the second is refused. */
export function toContentSource(
  { structured_outputs: ours, ...fields }: StructuredFields,
  refuse: (path: string[], message: string) => void,
): ContentSource | undefined {
  const nested = Object.entries(ours ?? {}).map(([name, source]) => [['structured_outputs', name], source] as const);
  const own = Object.keys(structuredFields).flatMap(name => {
    const source = name === 'structured_outputs' ? undefined : fields[name as keyof typeof fields];
    return [[[name], source] as const];
  });
  const said = [...own, ...nested].filter(([, source]) => source !== undefined);
  const [first, second] = said;
  if (first && second)
    refuse([...second[0]], `says what ${first[0].join('.')} says already; only one of them can hold`);
  return first?.[1];
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
