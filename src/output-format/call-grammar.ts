import type { GrammarSymbol } from '../constrain/grammar.ts';
import type { GrammarBuilder } from '../constrain/grammar-builder.ts';
import { asRealmError, RealmError } from '../errors.ts';
import { addArguments } from './argument-grammar.ts';
import type { AnswerSource, DeclaredTool } from './constraint-source.ts';
import type { ControlTokens } from './control-tokens.ts';
import { Notations } from './notations.ts';
import { Sequence } from './sequence.ts';
import type { ArgumentStyle, CallPart } from './types.ts';

type Tools = NonNullable<AnswerSource['tools']>;

/** One call or more, with what stands around them. */
export function callsSymbol(tools: Tools, control: ControlTokens, builder: GrammarBuilder): GrammarSymbol {
  return new CallGrammar(tools, control, builder).calls();
}

class CallGrammar {
  readonly #tools: Tools;
  readonly #control: ControlTokens;
  readonly #builder: GrammarBuilder;
  readonly #notations: Notations;
  readonly #arguments = new Map<string, GrammarSymbol>();
  /** What stands from a tool's name on to the end of its arguments, and which parts of the call that is. */
  readonly #named: { readonly from: number; readonly to: number; readonly symbol: GrammarSymbol };

  constructor(tools: Tools, control: ControlTokens, builder: GrammarBuilder) {
    this.#tools = tools;
    this.#control = control;
    this.#builder = builder;
    this.#notations = new Notations(builder.regexes);
    const { call } = tools.format;
    const from = call.findIndex(({ kind }) => kind === 'name');
    const to = call.findIndex(({ kind }) => kind === 'arguments') + 1;
    const parts = call.slice(from, to);
    const alternatives = tools.declared.map(tool => this.#tool(parts, tool));
    this.#named = { from, to, symbol: builder.rule('tool', alternatives) };
  }

  calls(): GrammarSymbol {
    const { format, parallel } = this.#tools;
    const list = this.#sequence().literal(format.begin).symbol(this.#call(true));
    if (parallel && format.between !== undefined) {
      const more = this.#builder.declare('calls');
      const next = this.#sequence().literal(format.between).symbol(this.#call(false), this.#builder.use(more));
      this.#builder.define(more, [[], next.symbols]);
      list.symbol(this.#builder.use(more));
    }
    return this.#builder.rule('calls', [list.literal(format.end).symbols]);
  }

  #call(first: boolean): GrammarSymbol {
    const { call } = this.#tools.format;
    const { from, to, symbol } = this.#named;
    const sequence = this.#sequence();
    for (const part of call.slice(0, from)) this.#add(part, sequence, first);
    sequence.symbol(symbol);
    for (const part of call.slice(to)) this.#add(part, sequence, first);
    return this.#builder.rule('call', [sequence.symbols]);
  }

  #tool(parts: readonly CallPart[], tool: DeclaredTool): readonly GrammarSymbol[] {
    const sequence = this.#sequence();
    try {
      for (const part of parts) {
        if (part.kind === 'name') sequence.literal(tool.name);
        else if (part.kind === 'arguments') this.#addArguments(part.style, tool.parameters, sequence);
        else this.#add(part, sequence, false);
      }
    } catch (error) {
      const { code, message, param } = asRealmError(error);
      throw new RealmError(code, `the tool ${JSON.stringify(tool.name)}: ${message}`, { param, cause: error });
    }
    return sequence.symbols;
  }

  /** Tools of the same parameters have the same rule. */
  #addArguments(style: ArgumentStyle, parameters: string, sequence: Sequence): void {
    let known = this.#arguments.get(parameters);
    if (!known) {
      const own = this.#sequence();
      addArguments(style, parameters, own, this.#builder, this.#notations);
      known = this.#builder.rule('arguments', [own.symbols]);
      this.#arguments.set(parameters, known);
    }
    sequence.symbol(known);
  }

  #add(part: CallPart, sequence: Sequence, first: boolean): void {
    const { regexes } = this.#builder;
    const digit = regexes.bytes([[48, 57]]);
    if (part.kind === 'text') sequence.literal(part.text);
    else if (part.kind === 'index' && first) sequence.literal(String(part.base));
    else if (part.kind === 'index') sequence.regex(regexes.repeat(digit, 1, 3));
    else if (part.kind === 'id') {
      const letter = regexes.bytes([
        [48, 57],
        [65, 90],
        [97, 122],
      ]);
      // Nine letters or digits: what the strictest templates insist on.
      sequence.regex(regexes.repeat(letter, 9, 9));
    }
  }

  #sequence(): Sequence {
    return new Sequence(this.#builder, this.#control);
  }
}
