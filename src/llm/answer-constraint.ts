import { RealmError } from '../errors.ts';
import type { ConstraintSource, ToolUse } from '../output-format/constraint-source.ts';
import type { OutputFormat, ToolFormat } from '../output-format/types.ts';

/**
 * What holds an answer to the tools and the content that are asked for, in the model's own format; undefined where any
 * text will do. `begun`: the prompt has begun the thoughts.
 */
export function constraintOf(
  format: OutputFormat,
  tools: ToolUse | undefined,
  content: ConstraintSource | undefined,
  begun: boolean,
): ConstraintSource | undefined {
  if (content?.kind === 'answer' || (!tools && (!content || !(format.reasoning || format.text)))) return content;
  return {
    kind: 'answer',
    reasoning: format.reasoning && { ...format.reasoning, begun },
    text: format.text,
    tools: tools && { format: toolFormatOf(format), ...tools },
    content,
  };
}

/** Throws `tools_unsupported`. */
export function toolFormatOf({ tools }: OutputFormat): ToolFormat {
  if (tools) return tools;
  const message =
    "tools: the model's chat template knows no calls of tools; tool_format of the request, or of the model in realm.yaml, gives it a format";
  throw new RealmError('tools_unsupported', message, { param: 'tools' });
}
