import { RealmError } from '../errors.ts';
import { kinds } from './kinds.ts';
import { SpecialTokens } from './special-tokens.ts';
import { finish, type Steps } from './steps.ts';
import { Utf8Stream } from './token-stream.ts';
import type { EncodeOptions, FillInTheMiddle, Token, Tokenizer, TokenStream } from './types.ts';
import type { Vocabulary } from './vocabulary.ts';

/** What one kind of tokenizer adds to a vocabulary. */
export interface Algorithm {
  readonly vocabulary: Vocabulary;
  /** The token that addSpecial puts last instead of eos. */
  readonly lastToken?: number | undefined;
  /** Appends the tokens of ordinary text; `atStart` when nothing or a special token is before it. */
  encode(text: string, out: number[], atStart: boolean): Steps<void>;
  /** Every piece of a text becomes tokens, and none is changed before: the longest token bounds what one stands for. */
  readonly keepsText: boolean;
  /** The bytes that the text of an ordinary token stands for. */
  ordinaryBytes(text: string): Uint8Array;
}

const SPACE = 0x20;
const NO_BYTES = new Uint8Array(0);
const utf8 = new TextEncoder();

/** A tokenizer over a vocabulary and one algorithm; the rest (special tokens, decoding) is the same for all. */
export class VocabularyTokenizer implements Tokenizer {
  readonly vocabSize: number;
  readonly bos: Token | undefined;
  readonly eos: Token | undefined;
  readonly endOfGeneration: ReadonlySet<Token>;
  readonly fillInTheMiddle: FillInTheMiddle | undefined;
  readonly separator: Token | undefined;
  readonly controlTexts: readonly string[];
  readonly #algorithm: Algorithm;
  readonly #vocabulary: Vocabulary;
  readonly #specialTokens: SpecialTokens;
  #maxTokenBytes: number | undefined;

  constructor(algorithm: Algorithm) {
    this.#algorithm = algorithm;
    this.#vocabulary = algorithm.vocabulary;
    this.#specialTokens = new SpecialTokens(algorithm.vocabulary);
    this.controlTexts = this.#vocabulary.texts.filter((_, id) => this.#isSpecial(id as Token));
    this.fillInTheMiddle = this.#vocabulary.fillInTheMiddle;
    const { addSeparator, separator } = this.#vocabulary;
    this.separator = addSeparator ? (separator as Token | undefined) : undefined;
    this.vocabSize = this.#vocabulary.texts.length;
    this.bos = this.#vocabulary.bos as Token | undefined;
    this.eos = this.#vocabulary.eos as Token | undefined;
    this.endOfGeneration = this.#vocabulary.endOfGeneration as ReadonlySet<Token>;
  }

  get maxTokenBytes(): number | undefined {
    this.#maxTokenBytes ??= this.#longestToken();
    return this.#maxTokenBytes === Number.POSITIVE_INFINITY ? undefined : this.#maxTokenBytes;
  }

  encode(text: string, options?: EncodeOptions): Token[] {
    return finish(this.encodeInSteps(text, options));
  }

  *encodeInSteps(text: string, { addSpecial = true, parseSpecial = true, values }: EncodeOptions = {}): Steps<Token[]> {
    const { addBos, addEos, bos, eos } = this.#vocabulary;
    const out: number[] = [];
    if (addSpecial && addBos && bos !== undefined) out.push(bos);
    let atStart = true;
    for (const part of this.#specialTokens.partition(text.toWellFormed(), parseSpecial, values)) {
      if (typeof part === 'number') out.push(part);
      else yield* this.#algorithm.encode(part, out, atStart);
      atStart = typeof part === 'number';
    }
    const last = this.#algorithm.lastToken ?? eos;
    if (addSpecial && addEos && last !== undefined) out.push(last);
    return out as Token[];
  }

  decode(tokens: readonly Token[], options?: { special?: boolean }): string {
    const stream = this.stream({ ...options, whole: true });
    return tokens.map(token => stream.push(token)).join('') + stream.end();
  }

  bytes(token: Token, { special = false }: { special?: boolean } = {}): Uint8Array {
    const text = this.text(token);
    switch (this.#vocabulary.kinds[token]) {
      case kinds.normal:
        return this.#algorithm.ordinaryBytes(text);
      case kinds.userDefined:
        return utf8.encode(text);
      case kinds.byte:
        return byteOf(text);
      case kinds.control:
      case kinds.unknown:
        return special ? utf8.encode(text) : NO_BYTES;
      default:
        return NO_BYTES;
    }
  }

  text(token: Token): string {
    const text = this.#vocabulary.texts[token];
    if (text !== undefined) return text;
    throw new RealmError('invalid_request', `token ${token} is not below the vocabulary's size ${this.vocabSize}`, {
      param: 'tokens',
    });
  }

  stream({
    special = false,
    whole = false,
  }: {
    special?: boolean | ReadonlySet<Token>;
    whole?: boolean;
  } = {}): TokenStream {
    let dropsSpace = whole && this.#vocabulary.addSpacePrefix;
    const shows = (token: Token) => (typeof special === 'boolean' ? special : special.has(token));
    return new Utf8Stream(token => {
      const bytes = this.bytes(token, { special: shows(token) });
      if (!dropsSpace || bytes.length === 0 || this.#isSpecial(token)) return bytes;
      dropsSpace = false;
      return bytes[0] === SPACE ? bytes.subarray(1) : bytes;
    });
  }

  /** A text's own ▁ is three bytes, as in the token's text; a byte-level token is shorter than its text. */
  #longestToken(): number {
    const { texts, kinds: tokenKinds, stripLeft, stripRight } = this.#vocabulary;
    if (!this.#algorithm.keepsText || stripLeft.size + stripRight.size > 0) return Number.POSITIVE_INFINITY;
    const lengths = texts.map((text, id) => {
      const { length } = utf8.encode(text);
      const own = tokenKinds[id] === kinds.normal ? this.#algorithm.ordinaryBytes(text).length : 0;
      return text.includes('▁') || tokenKinds[id] !== kinds.normal ? Math.max(length, own) : own;
    });
    return lengths.reduce((a, b) => Math.max(a, b), 1);
  }

  #isSpecial(token: Token): boolean {
    const kind = this.#vocabulary.kinds[token];
    return kind === kinds.control || kind === kinds.unknown;
  }
}

/** The byte of a token `<0xNN>`; its own text when it is written otherwise. */
function byteOf(text: string): Uint8Array {
  const hex = /^<0x([0-9A-Fa-f]{2})>$/.exec(text)?.[1];
  return hex === undefined ? utf8.encode(text) : Uint8Array.of(Number.parseInt(hex, 16));
}
