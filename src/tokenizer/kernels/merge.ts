import type { Steps } from '../steps.ts';

/** The rule of one vocabulary: which neighbouring pieces join, how early, and into what. */
export interface MergeRules {
  /** The number of the merge that joins two pieces, or -1. */
  find(left: number, right: number): number;
  /** The order of a merge: the lowest goes first. 0 to 2^20. */
  order(merge: number): number;
  /** The piece that a merge makes. */
  result(merge: number): number;
}

/**
 * Joins neighbouring pieces until no rule applies: always the earliest merge, the leftmost among equals. BPE and
 * SentencePiece differ only in the rules. A heap holds the candidate merges, so n pieces cost n log n whatever they are.
 */
export class Merger {
  /** Candidates looked at since the start: the work done, which tests compare with the length of the text. */
  steps = 0;
  readonly #rules: MergeRules;
  readonly #heap = new CandidateHeap();
  #pieces = new Int32Array(64);
  #next = new Int32Array(64);
  #previous = new Int32Array(64);

  constructor(rules: MergeRules) {
    this.#rules = rules;
  }

  /** The pieces that are left of `pieces` // [n], in order. */
  merge(pieces: ArrayLike<number>): number[] {
    this.#load(pieces);
    this.#advance(Number.POSITIVE_INFINITY);
    return this.#rest(pieces.length);
  }

  /** The same in steps. A long word has a merger to itself: others go on in this one meanwhile, and its memory goes with it. */
  *mergeInSteps(pieces: ArrayLike<number>): Steps<number[]> {
    const own = new Merger(this.#rules);
    own.#load(pieces);
    yield;
    while (!own.#advance(STEP)) yield;
    this.steps += own.steps;
    return own.#rest(pieces.length);
  }

  /** Applies up to `count` candidates; whether none is left. */
  #advance(count: number): boolean {
    for (let i = 0; i < count; i++) {
      const top = this.#heap.pop();
      if (top < 0) return true;
      this.#apply(top);
    }
    return false;
  }

  #rest(n: number): number[] {
    const merged: number[] = [];
    for (let at = 0; at >= 0 && at < n; at = this.#next[at]) merged.push(this.#pieces[at]);
    return merged;
  }

  #load(pieces: ArrayLike<number>): void {
    const n = pieces.length;
    if (n > this.#pieces.length) {
      this.#pieces = new Int32Array(n * 2);
      this.#next = new Int32Array(n * 2);
      this.#previous = new Int32Array(n * 2);
    }
    this.#pieces.set(pieces);
    for (let i = 0; i < n; i++) {
      this.#next[i] = i + 1 < n ? i + 1 : -1;
      this.#previous[i] = i - 1;
    }
    for (let left = 0; left + 1 < n; left++) this.#propose(left);
  }

  #propose(left: number): void {
    const merge = this.#rules.find(this.#pieces[left], this.#pieces[this.#next[left]]);
    if (merge >= 0) this.#heap.push(this.#rules.order(merge), left);
  }

  /** A candidate is stale when its pieces have changed since: then the pair at its place has another order or is gone. */
  #apply(candidate: number): void {
    this.steps++;
    const left = candidate % POSITIONS;
    const right = this.#next[left];
    if (this.#pieces[left] === GONE || right < 0) return;
    const merge = this.#rules.find(this.#pieces[left], this.#pieces[right]);
    if (merge < 0 || this.#rules.order(merge) !== (candidate - left) / POSITIONS) return;
    this.#pieces[left] = this.#rules.result(merge);
    this.#pieces[right] = GONE;
    const after = this.#next[right];
    this.#next[left] = after;
    if (after >= 0) {
      this.#previous[after] = left;
      this.#propose(left);
    }
    if (this.#previous[left] >= 0) this.#propose(this.#previous[left]);
  }
}

const GONE = -1;
/** Candidates of one step: about 2 ms. */
const STEP = 1 << 13;
const POSITIONS = 2 ** 32;

/** A binary min-heap of order * 2^32 + position: one double holds both, exactly, for orders below 2^21. */
class CandidateHeap {
  #keys = new Float64Array(64);
  #size = 0;

  push(order: number, position: number): void {
    if (this.#size === this.#keys.length) {
      const keys = new Float64Array(this.#size * 2);
      keys.set(this.#keys);
      this.#keys = keys;
    }
    const keys = this.#keys;
    const key = order * POSITIONS + position;
    let at = this.#size++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (keys[parent] <= key) break;
      keys[at] = keys[parent];
      at = parent;
    }
    keys[at] = key;
  }

  /** The least key, or -1 when there is none. */
  pop(): number {
    if (this.#size === 0) return -1;
    const keys = this.#keys;
    const top = keys[0];
    const key = keys[--this.#size];
    let at = 0;
    for (let child = 1; child < this.#size; child = 2 * at + 1) {
      if (child + 1 < this.#size && keys[child + 1] < keys[child]) child++;
      if (keys[child] >= key) break;
      keys[at] = keys[child];
      at = child;
    }
    keys[at] = key;
    return top;
  }
}
