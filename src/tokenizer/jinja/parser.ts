import { exceeded, templateLimits } from './limits.ts';
import { type Token, type TokenType, tokenize } from './lexer.ts';
import type { Arguments, Expression, Filter, Signature, Slice, Statement, Target } from './syntax.ts';

/** Jinja2's tags that chat templates have no use for: there are no other files, and values are not HTML. */
const FOREIGN = ['block', 'extends', 'include', 'import', 'from', 'autoescape', 'do', 'trans', 'debug'];
const COMPARISONS = ['==', '!=', '<', '<=', '>', '>='];
const LITERALS: Record<string, null | boolean> = {
  true: true,
  True: true,
  false: false,
  False: false,
  none: null,
  None: null,
};

/** The statements of a template. Throws SyntaxError with a line for what Jinja2 would refuse too. */
export function parse(source: string): Statement[] {
  return new Parser(tokenize(source)).template();
}

type Tag = (parser: Parser) => Statement[];

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  template(): Statement[] {
    const body = this.#statements();
    if (this.#now.type !== 'eof') throw this.#unexpected();
    return body;
  }

  get #now(): Token {
    return this.#tokens[this.#at];
  }

  #is(type: TokenType, ...values: string[]): boolean {
    return this.#now.type === type && (values.length === 0 || values.includes(this.#now.value));
  }

  #operator(...values: string[]): boolean {
    return this.#is('operator', ...values);
  }

  #skip(type: TokenType, value: string): boolean {
    const found = this.#is(type, value);
    if (found) this.#at++;
    return found;
  }

  #expect(type: TokenType, value?: string): string {
    const found = value === undefined ? this.#is(type) : this.#is(type, value);
    if (!found) throw this.#unexpected(value ?? type);
    return this.#tokens[this.#at++].value;
  }

  #unexpected(wanted?: string): Error {
    const { type, value } = this.#now;
    const found = type === 'eof' ? 'the end of the template' : `'${value.slice(0, 40)}'`;
    return this.#error(`unexpected ${found}${wanted === undefined ? '' : `, expected ${wanted}`}`);
  }

  #error(message: string): Error {
    return new SyntaxError(`line ${this.#now.line}: ${message}`);
  }

  #nested<T>(work: () => T): T {
    if (++this.#depth > templateLimits.depth) throw exceeded('nests deeper than', templateLimits.depth, 'levels');
    const result = work();
    this.#depth--;
    return result;
  }

  /** Statements up to one of the tags `ends`, which is the current name afterwards. */
  #statements(...ends: string[]): Statement[] {
    const body: Statement[] = [];
    for (;;) {
      if (this.#is('eof')) {
        if (ends.length > 0) throw this.#unexpected(ends.join(' or '));
        return body;
      }
      if (this.#is('text')) {
        body.push({ kind: 'text', text: this.#expect('text') });
      } else if (this.#expect('begin') === '{{') {
        body.push({ kind: 'print', value: this.#tuple() });
        this.#expect('end');
      } else {
        if (this.#is('name', ...(ends.length > 0 ? ends : ['\0']))) return body;
        body.push(...this.#nested(() => this.#tag()));
      }
    }
  }

  /** The body of a tag, from the end of its head to one of `ends`. */
  #body(...ends: string[]): Statement[] {
    this.#skip('operator', ':');
    this.#expect('end', '%}');
    return this.#statements(...ends);
  }

  /** A body that ends with the tag `end` only. */
  #whole(end: string): Statement[] {
    const body = this.#body(end);
    this.#at++;
    this.#expect('end', '%}');
    return body;
  }

  #tag(): Statement[] {
    const name = this.#expect('name');
    const tag = Object.hasOwn(Parser.#tags, name) ? Parser.#tags[name] : undefined;
    if (tag) return tag(this);
    throw this.#error(
      `the tag '${name}' ${FOREIGN.includes(name) ? 'cannot be used in a chat template' : 'is unknown'}`,
    );
  }

  static readonly #tags: Record<string, Tag> = {
    if: parser => parser.#if(),
    for: parser => parser.#for(),
    set: parser => parser.#set(),
    with: parser => parser.#with(),
    macro: parser => parser.#macro(),
    call: parser => parser.#callBlock(),
    filter: parser => [{ kind: 'filtered', filters: parser.#filters(true), body: parser.#whole('endfilter') }],
    break: parser => parser.#jump('break'),
    continue: parser => parser.#jump('continue'),
    print: parser => parser.#print(),
    // Transformers marks with it what the assistant says; the text is the same without.
    generation: parser => parser.#whole('endgeneration'),
  };

  #jump(kind: 'break' | 'continue'): Statement[] {
    this.#expect('end', '%}');
    return [{ kind }];
  }

  #print(): Statement[] {
    const found: Statement[] = [];
    while (!this.#is('end')) {
      if (found.length > 0) this.#expect('operator', ',');
      found.push({ kind: 'print', value: this.#expression() });
    }
    this.#expect('end', '%}');
    return found;
  }

  #if(): Statement[] {
    const branches = [];
    for (;;) {
      const test = this.#tuple({ conditions: false });
      branches.push({ test, body: this.#body('elif', 'else', 'endif') });
      const end = this.#expect('name');
      if (end === 'elif') continue;
      const otherwise = end === 'else' ? this.#whole('endif') : [];
      if (end === 'endif') this.#expect('end', '%}');
      return [{ kind: 'if', branches, otherwise }];
    }
  }

  #for(): Statement[] {
    const target = this.#target('in');
    this.#expect('name', 'in');
    const iterable = this.#tuple({ conditions: false, ends: ['recursive'] });
    const test = this.#skip('name', 'if') ? this.#expression() : undefined;
    const recursive = this.#skip('name', 'recursive');
    const body = this.#body('endfor', 'else');
    const otherwise = this.#expect('name') === 'else' ? this.#whole('endfor') : [];
    if (this.#tokens[this.#at - 1].value === 'endfor') this.#expect('end', '%}');
    return [{ kind: 'for', target, iterable, test, recursive, body, otherwise }];
  }

  #set(): Statement[] {
    const target = this.#target();
    if (this.#skip('operator', '=')) {
      const value = this.#tuple();
      this.#expect('end', '%}');
      return [{ kind: 'set', target, value }];
    }
    return [{ kind: 'capture', target, filters: this.#filters(false), body: this.#whole('endset') }];
  }

  #with(): Statement[] {
    const sets: [Target, Expression][] = [];
    while (!this.#is('end') && !this.#operator(':')) {
      if (sets.length > 0) this.#expect('operator', ',');
      const target = this.#target();
      this.#expect('operator', '=');
      sets.push([target, this.#expression()]);
    }
    return [{ kind: 'with', sets, body: this.#whole('endwith') }];
  }

  #macro(): Statement[] {
    const name = this.#expect('name');
    return [{ kind: 'macro', signature: this.#signature(name, this.#parameters(), 'endmacro') }];
  }

  #callBlock(): Statement[] {
    const parameters = this.#operator('(') ? this.#parameters() : [];
    const call = this.#expression();
    if (call.kind !== 'call') throw this.#error('expected a call');
    return [{ kind: 'callBlock', call, caller: this.#signature('caller', parameters, 'endcall') }];
  }

  #signature(name: string, parameters: Signature['parameters'], end: string): Signature {
    const from = this.#at;
    const body = this.#whole(end);
    const takes = new Set(['varargs', 'kwargs', 'caller'].filter(special => this.#mentions(special, from)));
    for (const parameter of parameters) takes.delete(parameter.name);
    return { name, parameters, body, takes };
  }

  #mentions(name: string, from: number): boolean {
    for (let at = from; at < this.#at; at++) {
      const token = this.#tokens[at];
      if (token.type === 'name' && token.value === name && this.#tokens[at - 1].value !== '.') return true;
    }
    return false;
  }

  #parameters(): Signature['parameters'] {
    const found: { name: string; fallback?: Expression }[] = [];
    this.#expect('operator', '(');
    while (!this.#operator(')')) {
      if (found.length > 0) this.#expect('operator', ',');
      const name = this.#expect('name');
      const fallback = this.#skip('operator', '=') ? this.#expression() : undefined;
      if (!fallback && found.at(-1)?.fallback) throw this.#error('a parameter without default follows one with');
      found.push({ name, fallback });
    }
    this.#at++;
    return found;
  }

  /** What is assigned to: names, tuples of them, or an attribute of a namespace. */
  #target(end?: string): Target {
    const found = this.#tuple({ primary: true, ends: end ? [end] : [] });
    if (found.kind === 'name' && this.#skip('operator', '.')) {
      return { kind: 'attribute', object: found, name: this.#expect('name') };
    }
    return this.#assignable(found);
  }

  #assignable(found: Expression): Target {
    if (found.kind === 'name') return found;
    if (found.kind !== 'tuple') throw this.#error('only names can be assigned to');
    return { kind: 'tuple', items: found.items.map(item => this.#assignable(item)) };
  }

  /** One expression, or several with commas between. */
  #tuple(
    options: { primary?: boolean; conditions?: boolean; ends?: string[]; inParentheses?: boolean } = {},
  ): Expression {
    const { primary = false, conditions = true, ends = [], inParentheses = false } = options;
    const items: Expression[] = [];
    let commas = false;
    for (;;) {
      if (this.#is('end') || this.#operator(')') || (ends.length > 0 && this.#is('name', ...ends))) break;
      items.push(primary ? this.#primary() : conditions ? this.#expression() : this.#or());
      if (!this.#skip('operator', ',')) break;
      commas = true;
    }
    if (!commas && items.length === 1) return items[0];
    if (items.length === 0 && !inParentheses) throw this.#unexpected('an expression');
    return { kind: 'tuple', items };
  }

  #expression(): Expression {
    return this.#nested(() => {
      let found = this.#or();
      while (this.#skip('name', 'if')) {
        const test = this.#or();
        const no = this.#skip('name', 'else') ? this.#expression() : undefined;
        found = { kind: 'condition', test, yes: found, no };
      }
      return found;
    });
  }

  #or(): Expression {
    let left = this.#and();
    while (this.#skip('name', 'or')) left = { kind: 'logic', operator: 'or', left, right: this.#and() };
    return left;
  }

  #and(): Expression {
    let left = this.#not();
    while (this.#skip('name', 'and')) left = { kind: 'logic', operator: 'and', left, right: this.#not() };
    return left;
  }

  #not(): Expression {
    if (!this.#skip('name', 'not')) return this.#comparison();
    return { kind: 'unary', operator: 'not', operand: this.#nested(() => this.#not()) };
  }

  #comparison(): Expression {
    const left = this.#sum();
    const rest = [];
    for (;;) {
      const operator = this.#comparisonOperator();
      if (operator === undefined) break;
      rest.push({ operator, right: this.#sum() });
    }
    return rest.length === 0 ? left : { kind: 'compare', left, rest };
  }

  #comparisonOperator(): string | undefined {
    if (this.#operator(...COMPARISONS)) return this.#expect('operator');
    if (this.#skip('name', 'in')) return 'in';
    const next = this.#tokens[this.#at + 1];
    if (!this.#is('name', 'not') || next.type !== 'name' || next.value !== 'in') return undefined;
    this.#at += 2;
    return 'not in';
  }

  #sum(): Expression {
    return this.#chain(['+', '-'], () => this.#concat());
  }

  #concat(): Expression {
    const parts = [this.#product()];
    while (this.#skip('operator', '~')) parts.push(this.#product());
    return parts.length === 1 ? parts[0] : { kind: 'concat', parts };
  }

  #product(): Expression {
    return this.#chain(['*', '/', '//', '%'], () => this.#chain(['**'], () => this.#unary(true)));
  }

  #chain(operators: string[], operand: () => Expression): Expression {
    let left = operand();
    while (this.#operator(...operators)) {
      left = { kind: 'binary', operator: this.#expect('operator'), left, right: operand() };
    }
    return left;
  }

  #unary(filters: boolean): Expression {
    let found: Expression;
    if (this.#operator('-', '+')) {
      const operator = this.#expect('operator');
      found = { kind: 'unary', operator, operand: this.#nested(() => this.#unary(false)) };
    } else {
      found = this.#primary();
    }
    found = this.#postfix(found);
    return filters ? this.#filtersAndTests(found) : found;
  }

  #primary(): Expression {
    const token = this.#now;
    if (token.type === 'name') {
      this.#at++;
      const { value: name } = token;
      return Object.hasOwn(LITERALS, name) ? { kind: 'literal', value: LITERALS[name] } : { kind: 'name', name };
    }
    if (token.type === 'string') {
      let value = '';
      while (this.#is('string')) value += this.#expect('string');
      return { kind: 'literal', value };
    }
    if (token.type === 'integer') return { kind: 'literal', value: BigInt(this.#expect('integer')) };
    if (token.type === 'float') return { kind: 'literal', value: Number(this.#expect('float')) };
    if (this.#skip('operator', '(')) {
      const inside = this.#tuple({ inParentheses: true });
      this.#expect('operator', ')');
      return inside;
    }
    if (this.#skip('operator', '[')) return { kind: 'list', items: this.#items(']', () => this.#expression()) };
    if (this.#skip('operator', '{')) return { kind: 'dict', pairs: this.#items('}', () => this.#pair()) };
    throw this.#unexpected();
  }

  #items<T>(end: string, item: () => T): T[] {
    const found: T[] = [];
    while (!this.#operator(end)) {
      if (found.length > 0) this.#expect('operator', ',');
      if (this.#operator(end)) break;
      found.push(item());
    }
    this.#at++;
    return found;
  }

  #pair(): [Expression, Expression] {
    const key = this.#expression();
    this.#expect('operator', ':');
    return [key, this.#expression()];
  }

  #postfix(found: Expression): Expression {
    for (;;) {
      if (this.#skip('operator', '.')) found = this.#member(found);
      else if (this.#skip('operator', '[')) found = this.#subscript(found);
      else if (this.#operator('(')) found = { kind: 'call', callee: found, args: this.#arguments() };
      else return found;
    }
  }

  #member(object: Expression): Expression {
    if (this.#is('integer'))
      return { kind: 'item', object, key: { kind: 'literal', value: BigInt(this.#expect('integer')) } };
    return { kind: 'attribute', object, name: this.#expect('name') };
  }

  #subscript(object: Expression): Expression {
    const keys = this.#items(']', () => this.#key());
    if (keys.length === 1) return { kind: 'item', object, key: keys[0] };
    const items = keys.filter(key => key.kind !== 'slice');
    if (items.length < keys.length || keys.length === 0) throw this.#error('expected a subscript');
    return { kind: 'item', object, key: { kind: 'tuple', items } };
  }

  #key(): Expression | Slice {
    const start = this.#operator(':') ? undefined : this.#expression();
    if (!this.#skip('operator', ':')) return start!;
    const stop = this.#operator(':', ']', ',') ? undefined : this.#expression();
    const step = this.#skip('operator', ':') && !this.#operator(']', ',') ? this.#expression() : undefined;
    return { kind: 'slice', start, stop, step };
  }

  #arguments(): Arguments {
    const positional: Expression[] = [];
    const named: [string, Expression][] = [];
    let spread: Expression | undefined;
    let namedSpread: Expression | undefined;
    this.#expect('operator', '(');
    this.#items(')', () => {
      const next = this.#tokens[this.#at + 1];
      if (this.#operator('*') && !spread && !namedSpread) {
        this.#at++;
        spread = this.#expression();
      } else if (this.#operator('**') && !namedSpread) {
        this.#at++;
        namedSpread = this.#expression();
      } else if (this.#is('name') && next.type === 'operator' && next.value === '=' && !namedSpread) {
        const name = this.#expect('name');
        this.#at++;
        named.push([name, this.#expression()]);
      } else if (spread || namedSpread || named.length > 0) {
        throw this.#error('a positional argument follows a named or a spread one');
      } else {
        positional.push(this.#expression());
      }
    });
    return { positional, named, spread, namedSpread };
  }

  #filtersAndTests(found: Expression): Expression {
    for (;;) {
      if (this.#operator('|')) {
        for (const filter of this.#filters(false)) found = { kind: 'filter', operand: found, filter };
      } else if (this.#skip('name', 'is')) found = this.#test(found);
      else if (this.#operator('(')) found = { kind: 'call', callee: found, args: this.#arguments() };
      else return found;
    }
  }

  /** `|name(arguments)` as often as it comes; the first without its bar if `inline`. */
  #filters(inline: boolean): Filter[] {
    const found: Filter[] = [];
    while ((inline && found.length === 0) || this.#skip('operator', '|')) {
      found.push({ name: this.#dotted(), args: this.#operator('(') ? this.#arguments() : noArguments });
    }
    return found;
  }

  #dotted(): string {
    let name = this.#expect('name');
    while (this.#skip('operator', '.')) name += `.${this.#expect('name')}`;
    return name;
  }

  #test(operand: Expression): Expression {
    const negated = this.#skip('name', 'not');
    const name = this.#dotted();
    let args: Arguments = noArguments;
    if (this.#operator('(')) args = this.#arguments();
    else if (this.#startsOperand()) {
      if (this.#is('name', 'is')) throw this.#error('tests cannot be chained with is');
      args = { ...noArguments, positional: [this.#postfix(this.#primary())] };
    }
    const found: Expression = { kind: 'test', operand, name, args };
    return negated ? { kind: 'unary', operator: 'not', operand: found } : found;
  }

  #startsOperand(): boolean {
    if (this.#is('name')) return !this.#is('name', 'else', 'or', 'and');
    return this.#is('string') || this.#is('integer') || this.#is('float') || this.#operator('[', '{');
  }
}

const noArguments: Arguments = { positional: [], named: [] };
