import { RealmError } from '../errors.ts';
import type { ModelId } from '../sandbox/model-id.ts';
import type { ProgramHost } from '../sandbox/types.ts';
import type { SavedSequence, SequenceHost } from '../sandbox/v2/types.ts';
import { compiled, END, generated, sentence, textOf, tokensOf, vocabSize } from './stand-in-answer.ts';

/** What a program asked of the stand-in. */
export interface Asked {
  requests: number;
  tokens: number;
  /** Its last line of the log. */
  logged?: string;
}

/** Of its embeddings. */
const width = 32;

/** Stands in for a model where only the program counts: whatever it is asked, it says the same (`stand-in-answer.ts`). */
export function standIn(asked: Asked): ProgramHost {
  return {
    generate: async (_call, signal, onText) => {
      asked.requests++;
      for (const character of sentence) {
        if (signal.aborted) return;
        asked.tokens++;
        await onText(character);
      }
    },
    encode: async (_model, text) => tokensOf(text),
    decode: async (_model, tokens) => textOf(tokens),
    metadata: () => JSON.stringify({ id: 'stand-in', context: 8192, vocab_size: vocabSize, width, ends: [END] }),
    find: async () => 1 as ModelId,
    checkAdapter: async () => {},
    sequences: sequencesOf(asked),
  };
}

function sequencesOf(asked: Asked): SequenceHost {
  const saved = new Map<string, SavedSequence>();
  return {
    chatTokens: async (_model, document) => tokensOf(document),
    textTokens: async (_model, text) => tokensOf(text),
    checkConstraint: async (_model, source) => void compiled(source),
    toolConstraint: async (_model, tools) => ({ kind: 'json_schema', schema: callSchema(tools) }),
    submit: async (submission, signal, onText) => {
      asked.requests++;
      const submitted = await generated(submission, signal, onText);
      asked.tokens += submitted.tokens.length;
      return submitted;
    },
    logits: async () => new Float32Array(vocabSize),
    embed: async () => new Float32Array(width).fill(width ** -0.5),
    parse: async (_model, _tools, tokens) => JSON.stringify({ content: textOf(tokens), reasoning: '', tool_calls: [] }),
    save: async (_model, key, sequence) => void saved.set(key, sequence),
    open: async (_model, key) => saved.get(key),
    tool: async name => {
      throw new RealmError('tool_not_found', `A sample run has no tools, and none named ${name}.`);
    },
    budget: async () => '{}',
    findModel: async () => 1 as ModelId,
    checkAdapter: async () => {},
    emit: () => {},
    log: (_level, text) => {
      asked.logged = text;
    },
  };
}

function callSchema(tools: string): string {
  const names = (JSON.parse(tools) as { function?: { name?: string } }[]).map(each => each.function?.name);
  const properties = { name: { enum: names }, arguments: { type: 'object' } };
  return JSON.stringify({ type: 'object', properties, required: ['name', 'arguments'] });
}
