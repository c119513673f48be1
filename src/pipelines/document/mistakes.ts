import type { LineCounter } from 'yaml';
import { RealmError } from '../../errors.ts';
import { pipelineLimits } from '../limits.ts';

/** All that is wrong with a document, so that its author hears of it at once. */
export class Mistakes {
  readonly #file: string;
  readonly #lines: LineCounter;
  readonly #found = new Map<string, { readonly offset: number; readonly text: string }>();

  constructor(file: string, lines: LineCounter) {
    this.#file = file;
    this.#lines = lines;
  }

  get any(): boolean {
    return this.#found.size > 0;
  }

  /** `offset`: characters from the document's beginning. The same is said once. */
  add(offset: number, what: string): void {
    const { line, col } = this.#lines.linePos(offset);
    const text = `${this.#file}:${Math.max(line, 1)}:${Math.max(col, 1)}: ${what}`;
    this.#found.set(text, { offset, text });
  }

  /** Throws `pipeline_invalid` with a line for each. */
  check(): void {
    if (!this.any) return;
    const lines = [...this.#found.values()].sort((a, b) => a.offset - b.offset).map(({ text }) => text);
    const more = lines.length - pipelineLimits.mistakes;
    const shown = more > 0 ? [...lines.slice(0, pipelineLimits.mistakes), `and ${more} more`] : lines;
    throw new RealmError('pipeline_invalid', shown.join('\n'));
  }
}
