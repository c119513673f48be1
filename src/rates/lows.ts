/** More steps than this become coarser. */
const mostSteps = 1024;

/** The lowest of a series of values since each of some moments. Only what is lower than all that follows is kept, so the steps rise. */
export class Lows {
  #steps: { at: number; value: number }[] = [];
  #moments = 0;
  #open = 0;

  get open(): number {
    return this.#open;
  }

  /** A moment; it is asked about until it is closed. */
  begin(): number {
    this.#open++;
    return this.#moments;
  }

  /** One moment less is asked about. */
  end(): void {
    if (--this.#open === 0) this.#steps = [];
  }

  note(value: number): void {
    if (this.#open === 0) return;
    const steps = this.#steps;
    while (steps.length > 0 && steps.at(-1)!.value >= value) steps.pop();
    steps.push({ at: ++this.#moments, value });
    // The lower of two stands for both: no answer is ever too high.
    if (steps.length > mostSteps)
      this.#steps = steps.flatMap(({ value }, i) =>
        i % 2 === 0 ? [{ at: (steps[i + 1] ?? steps[i]!).at, value }] : [],
      );
  }

  /** Infinite where nothing was noted since. */
  since(moment: number): number {
    const steps = this.#steps;
    let low = 0;
    let high = steps.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (steps[middle]!.at > moment) high = middle;
      else low = middle + 1;
    }
    return steps[low]?.value ?? Number.POSITIVE_INFINITY;
  }
}
