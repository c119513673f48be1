import type { Token, TokenStream } from './types.ts';

/** Joins the bytes of tokens to text, holding back a character until its last byte is there. */
export class Utf8Stream implements TokenStream {
  readonly #bytesOf: (token: Token) => Uint8Array;
  // A byte order mark inside the text is a character like any other.
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });

  constructor(bytesOf: (token: Token) => Uint8Array) {
    this.#bytesOf = bytesOf;
  }

  push(token: Token): string {
    return this.#decoder.decode(this.#bytesOf(token), { stream: true });
  }

  end(): string {
    return this.#decoder.decode();
  }
}
