/** What may follow: of one token, and of an answer. */
import * as host from './realm2';
import { at, bytesOf, check } from './texts';

/** Tokens that may follow; it serves any number of sequences. */
export class Mask {
  /** A bit for each token, the lowest first. */
  readonly bits: StaticArray<u32>;

  constructor(vocabulary: u32) {
    this.bits = new StaticArray<u32>((vocabulary + 31) / 32);
  }

  allow(token: u32): void {
    this.bits[token >> 5] |= 1 << (token & 31);
  }
}

const JSON_SCHEMA: u32 = 1;
const REGEX: u32 = 2;
const GBNF: u32 = 3;
const LARK: u32 = 4;
const CHOICE: u32 = 5;
const TOOLS: u32 = 6;

/** What an answer must be. */
export class Constraint {
  readonly handle: u32;

  constructor(model: u32, kind: u32, source: string) {
    const bytes = bytesOf(source);
    this.handle = check(host.constraint_new(model, kind, at(bytes), bytes.byteLength));
  }

  /** Sequences that have it keep it. */
  free(): void {
    host.constraint_free(this.handle);
  }

  static schema(model: u32, schema: string): Constraint {
    return new Constraint(model, JSON_SCHEMA, schema);
  }

  static regex(model: u32, pattern: string): Constraint {
    return new Constraint(model, REGEX, pattern);
  }

  static gbnf(model: u32, grammar: string): Constraint {
    return new Constraint(model, GBNF, grammar);
  }

  static lark(model: u32, grammar: string): Constraint {
    return new Constraint(model, LARK, grammar);
  }

  static choice(model: u32, choices: string): Constraint {
    return new Constraint(model, CHOICE, choices);
  }

  /** Calls of these tools, or text. */
  static tools(model: u32, tools: string): Constraint {
    return new Constraint(model, TOOLS, '{"tools":' + tools + '}');
  }
}
