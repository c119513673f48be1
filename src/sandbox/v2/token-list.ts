/** Tokens that several lists begin with. */
interface Shared {
  tokens: Uint32Array;
  /** Of these, all that belongs to the longest list. */
  used: number;
  owners: number;
}

/** A list of tokens whose copies share memory until two of them go on differently. */
export class TokenList {
  #shared: Shared;
  #length: number;

  constructor(tokens: Uint32Array = new Uint32Array(0)) {
    this.#shared = { tokens, used: tokens.length, owners: 1 };
    this.#length = tokens.length;
  }

  get length(): number {
    return this.#length;
  }

  append(tokens: ArrayLike<number>): void {
    const end = this.#length + tokens.length;
    const alone = this.#shared.owners === 1 || this.#length === this.#shared.used;
    if (!alone || end > this.#shared.tokens.length) this.#move(end, alone);
    this.#shared.tokens.set(tokens, this.#length);
    this.#shared.used = end;
    this.#length = end;
  }

  truncate(length: number): void {
    this.#length = Math.min(this.#length, length);
  }

  copy(): TokenList {
    const copy = new TokenList();
    copy.#shared = this.#shared;
    copy.#length = this.#length;
    this.#shared.owners++;
    return copy;
  }

  /** A copy of its own. */
  slice(from = 0, to = this.#length): Uint32Array {
    return this.#shared.tokens.slice(from, Math.min(to, this.#length));
  }

  /** To be called once it is no longer used. */
  release(): void {
    this.#shared.owners--;
  }

  /** To an array of its own; those that shared the old one keep that. */
  #move(end: number, alone: boolean): void {
    const larger = new Uint32Array(Math.max(end, alone ? 2 * this.#length : 0, 64));
    larger.set(this.#shared.tokens.subarray(0, this.#length));
    this.#shared.owners--;
    this.#shared = { tokens: larger, used: this.#length, owners: 1 };
  }
}
