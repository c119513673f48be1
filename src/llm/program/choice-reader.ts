import type { ToolUse } from '../../output-format/constraint-source.ts';
import type { OutputFormat } from '../../output-format/types.ts';
import { type AnswerDelta, type AnswerReader, answerReader, type Place, plainReader } from '../answer-reader.ts';
import { withToolFormat } from '../output-format.ts';
import type { Emitted } from './emitted.ts';

/** The request that the program answers. */
interface Asked {
  readonly kind: 'chat' | 'completion';
  readonly model: { readonly format: OutputFormat };
  readonly tools?: ToolUse | undefined;
  readonly toolFormat?: string | undefined;
}

/** What is known of the answer by now. */
interface Noted {
  /** The prompt of the first call had begun the model's thoughts. */
  readonly inReasoning: boolean | undefined;
  /** Where they stand in the text. */
  thoughts: readonly Place[];
}

/** What a program says, as what it adds to the answer: its text is read in the model's output format, unless it reads that itself. */
export class ChoiceReader {
  readonly #asked: Asked;
  readonly #noted: Noted;
  readonly #emitted: Emitted;
  /** Begun with the first text: only then it is known whether the prompt has begun thoughts. */
  #reader: AnswerReader | undefined;

  constructor(asked: Asked, noted: Noted, emitted: Emitted) {
    this.#asked = asked;
    this.#noted = noted;
    this.#emitted = emitted;
  }

  /** No text: something else was emitted in its place. */
  read(text: string): readonly AnswerDelta[] {
    if (text === '') return this.#takeEmitted();
    const deltas = this.#current().push(text);
    for (const { calls = [] } of deltas) for (const { index } of calls) this.#emitted.begin(index + 1);
    return deltas;
  }

  end(): readonly AnswerDelta[] {
    return [...(this.#reader?.end() ?? []), ...this.#takeEmitted()];
  }

  #takeEmitted(): AnswerDelta[] {
    const said = this.#emitted.take();
    if (!this.#emitted.readsItself || this.#reader === plainReader) return said;
    const rest = this.#reader?.end() ?? [];
    this.#reader = plainReader;
    return [...rest, ...said];
  }

  #current(): AnswerReader {
    if (this.#reader) return this.#reader;
    const { kind, model, tools, toolFormat } = this.#asked;
    const { inReasoning = false } = this.#noted;
    const reader =
      kind === 'chat' ? answerReader(withToolFormat(model.format, toolFormat), tools, inReasoning) : plainReader;
    this.#reader = reader;
    this.#noted.thoughts = reader.thoughts;
    return reader;
  }
}
