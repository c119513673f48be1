import { asRealmError, RealmError } from '../../errors.ts';
import type { RegexId } from '../regex.ts';
import { compileWhole } from '../regex-compile.ts';
import { escapePattern } from '../regex-syntax.ts';
import type { RegexStore } from '../regexes.ts';
import { commonTerminals } from './common.ts';
import type { Definition, Expression, LarkSyntax } from './syntax.ts';
import { failLark } from './tokens.ts';

/** Terminals as regular expressions. */
export class Terminals {
  readonly #source: string;
  readonly #syntax: LarkSyntax;
  readonly #regexes: RegexStore;
  readonly #known = new Map<string, RegexId>();
  /** Being made: one that leads to itself is no regular expression. */
  readonly #making = new Set<string>();

  constructor(source: string, syntax: LarkSyntax, regexes: RegexStore) {
    this.#source = source;
    this.#syntax = syntax;
    this.#regexes = regexes;
  }

  /** Whether the expression names neither rules nor special tokens nor schemas. */
  isTerminal(expression: Expression): boolean {
    switch (expression.kind) {
      case 'rule':
      case 'special':
      case 'json':
        return false;
      case 'or':
      case 'concat':
      case 'and':
        return expression.parts.every(part => this.isTerminal(part));
      case 'repeat':
      case 'not':
        return this.isTerminal(expression.part);
      default:
        return true;
    }
  }

  of(expression: Expression): RegexId {
    const regexes = this.#regexes;
    switch (expression.kind) {
      case 'or':
        return regexes.or(expression.parts.map(part => this.of(part)));
      case 'and':
        return regexes.and(expression.parts.map(part => this.of(part)));
      case 'concat':
        return regexes.concat(expression.parts.map(part => this.of(part)));
      case 'repeat':
        return regexes.repeat(this.of(expression.part), expression.min, expression.max);
      case 'not':
        return regexes.not(this.of(expression.part));
      case 'string':
        if (!expression.ignoreCase) return regexes.literal(expression.text);
        return compileWhole(`(?i:${escapePattern(expression.text)})`, regexes);
      case 'range':
        return regexes.chars([[expression.from.codePointAt(0)!, expression.to.codePointAt(0)!]]);
      case 'regex':
        return this.#pattern(expression);
      case 'terminal':
        return this.#named(expression);
      case 'rule':
      case 'special':
        return this.#fail(expression.at, `a terminal cannot have ${expression.name} in it`);
      case 'json':
        return this.#fail(expression.at, 'a terminal cannot have %json in it');
    }
    return expression satisfies never;
  }

  /** With the options of its definition. */
  defined({ expression, suffix, lazy }: Definition): RegexId {
    const regexes = this.#regexes;
    const whole = suffix ? regexes.concat([this.of(expression), this.of(suffix)]) : this.of(expression);
    if (!lazy) return whole;
    const longer = regexes.concat([whole, regexes.repeat(regexes.notChars([]), 1)]);
    return regexes.and([whole, regexes.not(longer)]);
  }

  #pattern({ source, flags, at }: Extract<Expression, { kind: 'regex' }>): RegexId {
    for (const flag of flags) if (!'isu'.includes(flag)) this.#fail(at, `the flag ${flag} is not supported`);
    const own = flags.replaceAll('u', '');
    try {
      return compileWhole(own === '' ? source : `(?${own}:${source})`, this.#regexes);
    } catch (error) {
      const { code, message } = asRealmError(error);
      if (code === 'grammar_invalid') this.#fail(at, message);
      throw new RealmError(code, message);
    }
  }

  #named({ name, at }: Extract<Expression, { kind: 'rule' | 'terminal' | 'special' }>): RegexId {
    let regex = this.#known.get(name);
    if (regex === undefined) {
      if (this.#making.has(name)) this.#fail(at, `the terminal ${name} leads back to itself`);
      this.#making.add(name);
      regex = this.#make(name, at);
      this.#making.delete(name);
      this.#known.set(name, regex);
    }
    return regex;
  }

  #make(name: string, at: number): RegexId {
    const definition = this.#syntax.terminals.get(name);
    if (definition) return this.defined(definition);
    const imported = this.#syntax.imports.get(name);
    if (!imported) return this.#fail(at, `the terminal ${name} is used but not defined`);
    if (!Object.hasOwn(commonTerminals, imported.name))
      return this.#fail(
        imported.at,
        `common has no ${imported.name}; it has ${Object.keys(commonTerminals).join(', ')}`,
      );
    return compileWhole(commonTerminals[imported.name]!, this.#regexes);
  }

  #fail(at: number, reason: string): never {
    return failLark(this.#source, at, reason);
  }
}
