import { withToolFormat } from '../../llm/output-format.ts';
import { type AnswerDelta, type AnswerReader, answerReader, plainReader } from '../answer-reader.ts';
import type { HeldJob } from '../job.ts';
import type { Emitted } from './emitted.ts';
import type { Trace } from './trace.ts';

/** What a program says, as what it adds to the answer: its text is read in the model's output format, unless it reads that itself. */
export class ChoiceReader {
  readonly #job: HeldJob;
  readonly #trace: Trace;
  readonly #emitted: Emitted;
  /** Begun with the first text: only then it is known whether the prompt has begun thoughts. */
  #reader: AnswerReader | undefined;

  constructor(job: HeldJob, trace: Trace, emitted: Emitted) {
    this.#job = job;
    this.#trace = trace;
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
    const { kind, model, tools, toolFormat } = this.#job;
    const { inReasoning = false } = this.#trace;
    const reader =
      kind === 'chat' ? answerReader(withToolFormat(model.format, toolFormat), tools, inReasoning) : plainReader;
    this.#reader = reader;
    this.#trace.thoughts = reader.thoughts;
    return reader;
  }
}
