import type { Token, TokenType } from './lexer.ts';
import { exceeded, templateLimits } from './limits.ts';
import type { Arguments, Expression, Filter, Slice } from './syntax.ts';

const COMPARISONS = ['==', '!=', '<', '<=', '>', '>='];
const LITERALS: ReadonlyMap<string, null | boolean> = new Map([
  ['true', true],
  ['True', true],
  ['false', false],
  ['False', false],
  ['none', null],
  ['None', null],
]);

const noArguments: Arguments = { positional: [], named: [] };

/** Expressions, by Jinja2's precedence: each level is a method that asks the next one for its operands. */
export class ExpressionParser {
  protected readonly tokens: readonly Token[];
  protected at = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens;
  }

  protected get now(): Token {
    const token = this.tokens[this.at];
    if (!token) throw new SyntaxError('the template ends too early');
    return token;
  }

  protected is(type: TokenType, ...values: string[]): boolean {
    return this.now.type === type && (values.length === 0 || values.includes(this.now.value));
  }

  protected operator(...values: string[]): boolean {
    return this.is('operator', ...values);
  }

  protected skip(type: TokenType, value: string): boolean {
    const found = this.is(type, value);
    if (found) this.at++;
    return found;
  }

  protected expect(type: TokenType, value?: string): string {
    const found = value === undefined ? this.is(type) : this.is(type, value);
    if (!found) throw this.unexpected(value ?? type);
    const token = this.now;
    this.at++;
    return token.value;
  }

  protected unexpected(wanted?: string): Error {
    const { type, value } = this.now;
    const found = type === 'eof' ? 'the end of the template' : `'${value.slice(0, 40)}'`;
    return this.error(`unexpected ${found}${wanted === undefined ? '' : `, expected ${wanted}`}`);
  }

  protected error(message: string): Error {
    return new SyntaxError(`line ${this.now.line}: ${message}`);
  }

  protected nested<T>(work: () => T): T {
    if (++this.#depth > templateLimits.depth) throw exceeded('nests deeper than', templateLimits.depth, 'levels');
    const result = work();
    this.#depth--;
    return result;
  }

  /** One expression, or several with commas between. */
  protected tuple(
    options: { primary?: boolean; conditions?: boolean; ends?: string[]; inParentheses?: boolean } = {},
  ): Expression {
    const { primary = false, conditions = true, ends = [], inParentheses = false } = options;
    const items: Expression[] = [];
    let commas = false;
    for (;;) {
      if (this.is('end') || this.operator(')') || (ends.length > 0 && this.is('name', ...ends))) break;
      items.push(primary ? this.#primary() : conditions ? this.expression() : this.#or());
      if (!this.skip('operator', ',')) break;
      commas = true;
    }
    const [first] = items;
    if (!commas && first && items.length === 1) return first;
    if (items.length === 0 && !inParentheses) throw this.unexpected('an expression');
    return { kind: 'tuple', items };
  }

  protected expression(): Expression {
    return this.nested(() => {
      let found = this.#or();
      while (this.skip('name', 'if')) {
        const test = this.#or();
        const no = this.skip('name', 'else') ? this.expression() : undefined;
        found = { kind: 'condition', test, yes: found, no };
      }
      return found;
    });
  }

  #or(): Expression {
    let left = this.#and();
    while (this.skip('name', 'or')) left = { kind: 'logic', operator: 'or', left, right: this.#and() };
    return left;
  }

  #and(): Expression {
    let left = this.#not();
    while (this.skip('name', 'and')) left = { kind: 'logic', operator: 'and', left, right: this.#not() };
    return left;
  }

  #not(): Expression {
    if (!this.skip('name', 'not')) return this.#comparison();
    return { kind: 'unary', operator: 'not', operand: this.nested(() => this.#not()) };
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
    if (this.operator(...COMPARISONS)) return this.expect('operator');
    if (this.skip('name', 'in')) return 'in';
    const next = this.tokens[this.at + 1];
    if (!this.is('name', 'not') || next?.type !== 'name' || next.value !== 'in') return undefined;
    this.at += 2;
    return 'not in';
  }

  #sum(): Expression {
    return this.#chain(['+', '-'], () => this.#concat());
  }

  #concat(): Expression {
    const first = this.#product();
    const parts = [first];
    while (this.skip('operator', '~')) parts.push(this.#product());
    return parts.length === 1 ? first : { kind: 'concat', parts };
  }

  #product(): Expression {
    return this.#chain(['*', '/', '//', '%'], () => this.#chain(['**'], () => this.#unary(true)));
  }

  #chain(operators: string[], operand: () => Expression): Expression {
    let left = operand();
    while (this.operator(...operators)) {
      left = { kind: 'binary', operator: this.expect('operator'), left, right: operand() };
    }
    return left;
  }

  #unary(filters: boolean): Expression {
    let found: Expression;
    if (this.operator('-', '+')) {
      const operator = this.expect('operator');
      found = { kind: 'unary', operator, operand: this.nested(() => this.#unary(false)) };
    } else {
      found = this.#primary();
    }
    found = this.#postfix(found);
    return filters ? this.#filtersAndTests(found) : found;
  }

  #primary(): Expression {
    const token = this.now;
    if (token.type === 'name') {
      this.at++;
      const { value: name } = token;
      const value = LITERALS.get(name);
      return value === undefined ? { kind: 'name', name } : { kind: 'literal', value };
    }
    if (token.type === 'string') {
      let value = '';
      while (this.is('string')) value += this.expect('string');
      return { kind: 'literal', value };
    }
    if (token.type === 'integer') return { kind: 'literal', value: BigInt(this.expect('integer')) };
    if (token.type === 'float') return { kind: 'literal', value: Number(this.expect('float')) };
    if (this.skip('operator', '(')) {
      const inside = this.tuple({ inParentheses: true });
      this.expect('operator', ')');
      return inside;
    }
    if (this.skip('operator', '[')) return { kind: 'list', items: this.#items(']', () => this.expression()) };
    if (this.skip('operator', '{')) return { kind: 'dict', pairs: this.#items('}', () => this.#pair()) };
    throw this.unexpected();
  }

  #items<T>(end: string, item: () => T): T[] {
    const found: T[] = [];
    while (!this.operator(end)) {
      if (found.length > 0) this.expect('operator', ',');
      if (this.operator(end)) break;
      found.push(item());
    }
    this.at++;
    return found;
  }

  #pair(): [Expression, Expression] {
    const key = this.expression();
    this.expect('operator', ':');
    return [key, this.expression()];
  }

  #postfix(found: Expression): Expression {
    for (;;) {
      if (this.skip('operator', '.')) found = this.#member(found);
      else if (this.skip('operator', '[')) found = this.#subscript(found);
      else if (this.operator('(')) found = { kind: 'call', callee: found, args: this.#arguments() };
      else return found;
    }
  }

  #member(object: Expression): Expression {
    if (this.is('integer'))
      return { kind: 'item', object, key: { kind: 'literal', value: BigInt(this.expect('integer')) } };
    return { kind: 'attribute', object, name: this.expect('name') };
  }

  #subscript(object: Expression): Expression {
    const keys = this.#items(']', () => this.#key());
    const [key] = keys;
    if (key && keys.length === 1) return { kind: 'item', object, key };
    const items = keys.filter(key => key.kind !== 'slice');
    if (items.length < keys.length || keys.length === 0) throw this.error('expected a subscript');
    return { kind: 'item', object, key: { kind: 'tuple', items } };
  }

  #key(): Expression | Slice {
    const start = this.operator(':') ? undefined : this.expression();
    if (!this.skip('operator', ':') && start) return start;
    const stop = this.operator(':', ']', ',') ? undefined : this.expression();
    const step = this.skip('operator', ':') && !this.operator(']', ',') ? this.expression() : undefined;
    return { kind: 'slice', start, stop, step };
  }

  #arguments(): Arguments {
    const positional: Expression[] = [];
    const named: [string, Expression][] = [];
    let spread: Expression | undefined;
    let namedSpread: Expression | undefined;
    this.expect('operator', '(');
    this.#items(')', () => {
      const next = this.tokens[this.at + 1];
      if (this.operator('*') && !spread && !namedSpread) {
        this.at++;
        spread = this.expression();
      } else if (this.operator('**') && !namedSpread) {
        this.at++;
        namedSpread = this.expression();
      } else if (this.is('name') && next?.type === 'operator' && next.value === '=' && !namedSpread) {
        const name = this.expect('name');
        this.at++;
        named.push([name, this.expression()]);
      } else if (spread || namedSpread || named.length > 0) {
        throw this.error('a positional argument follows a named or a spread one');
      } else {
        positional.push(this.expression());
      }
    });
    return { positional, named, spread, namedSpread };
  }

  #filtersAndTests(found: Expression): Expression {
    for (;;) {
      if (this.operator('|')) {
        for (const filter of this.filters(false)) found = { kind: 'filter', operand: found, filter };
      } else if (this.skip('name', 'is')) found = this.#test(found);
      else if (this.operator('(')) found = { kind: 'call', callee: found, args: this.#arguments() };
      else return found;
    }
  }

  /** `|name(arguments)` as often as it comes; the first without its bar if `inline`. */
  protected filters(inline: boolean): Filter[] {
    const found: Filter[] = [];
    while ((inline && found.length === 0) || this.skip('operator', '|')) {
      found.push({ name: this.#dotted(), args: this.operator('(') ? this.#arguments() : noArguments });
    }
    return found;
  }

  #dotted(): string {
    let name = this.expect('name');
    while (this.skip('operator', '.')) name += `.${this.expect('name')}`;
    return name;
  }

  #test(operand: Expression): Expression {
    const negated = this.skip('name', 'not');
    const name = this.#dotted();
    let args: Arguments = noArguments;
    if (this.operator('(')) args = this.#arguments();
    else if (this.#startsOperand()) {
      if (this.is('name', 'is')) throw this.error('tests cannot be chained with is');
      args = { ...noArguments, positional: [this.#postfix(this.#primary())] };
    }
    const found: Expression = { kind: 'test', operand, name, args };
    return negated ? { kind: 'unary', operator: 'not', operand: found } : found;
  }

  #startsOperand(): boolean {
    if (this.is('name')) return !this.is('name', 'else', 'or', 'and');
    return this.is('string') || this.is('integer') || this.is('float') || this.operator('[', '{');
  }
}
