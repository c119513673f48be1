import { checkTokens } from '../../ranges.ts';
import type { Steps } from '../../tokenizer/steps.ts';
import type { Token } from '../../tokenizer/types.ts';
import { type AnswerDelta, answerReader, type CallDelta } from '../answer-reader.ts';
import type { ModelText } from '../model-text.ts';
import { markersOf, withToolFormat } from '../output-format.ts';
import { declaredTools } from './declared-tools.ts';

interface AnswerTokens {
  readonly tokens: Uint32Array;
  /** JSON text; may be empty. */
  readonly tools: string;
  /** The request's own format of calls. */
  readonly toolFormat?: string | undefined;
  /** The prompt has begun the thoughts. */
  readonly inReasoning: boolean;
}

/** Tokens between two turns of the event loop. */
const step = 1 << 10;

/** An answer in the model's output format as the APIs read it, if it ended here: JSON. */
export function* readAnswer({ tokens, tools, toolFormat, inReasoning }: AnswerTokens, model: ModelText): Steps<string> {
  const { tokenizer } = model;
  const format = withToolFormat(model.format, toolFormat);
  checkTokens(tokens, tokenizer.vocabSize, i => `tokens[${i}]`);
  const reader = answerReader(format, declaredTools(tools), inReasoning);
  const stream = tokenizer.stream({ special: markersOf(format, tokenizer) });
  const deltas: AnswerDelta[] = [];
  for (let start = 0; start < tokens.length; start += step) {
    const texts = Array.from(tokens.subarray(start, start + step), token => stream.push(token as Token));
    deltas.push(...reader.push(texts.join('')));
    yield;
  }
  deltas.push(...reader.push(stream.end()), ...reader.end());
  return JSON.stringify(whole(deltas));
}

function whole(deltas: readonly AnswerDelta[]): object {
  const textOf = (key: 'content' | 'reasoning') => deltas.map(delta => delta[key] ?? '').join('');
  const calls: { id: string | undefined; name: string | undefined; arguments: string }[] = [];
  for (const { index, id, name, arguments: text } of deltas.flatMap(
    (delta): readonly CallDelta[] => delta.calls ?? [],
  )) {
    calls[index] ??= { id, name, arguments: '' };
    calls[index].arguments += text;
  }
  return { content: textOf('content'), reasoning: textOf('reasoning'), tool_calls: calls };
}
