import { exceeded, Meter, templateLimits } from './limits.ts';
import { attribute, callable, item, sliced } from './members.ts';
import { binary, comparison, unary } from './operators.ts';
import { text } from './printing.ts';
import { runFilter } from './filters.ts';
import { globals } from './globals.ts';
import { loopVariable } from './loop.ts';
import type { Arguments, Expression, Filter, Signature, Statement, Target } from './syntax.ts';
import { runTest } from './tests.ts';
import {
  type Call,
  Callable,
  Dict,
  iterate,
  TemplateError,
  Thing,
  Tuple,
  truth,
  typeName,
  type Value,
} from './values.ts';

/** Names and their values, inside those of another scope. */
class Scope {
  readonly #values = new Map<string, Value>();
  readonly #outer: Scope | undefined;

  constructor(outer?: Scope) {
    this.#outer = outer;
  }

  get(name: string): Value {
    if (this.#outer === undefined || this.#values.has(name)) return this.#values.get(name);
    return this.#outer.get(name);
  }

  set(name: string, value: Value): void {
    this.#values.set(name, value);
  }
}

/** How a loop's body ended before its time. */
class Jump extends Error {
  readonly kind: 'break' | 'continue';
  /** What the body had written until then. */
  written: string;

  constructor(kind: 'break' | 'continue') {
    super(`${kind} outside a loop`);
    this.kind = kind;
    this.written = '';
  }
}

/** What a template writes with these variables. `clock` gives milliseconds that only grow, for the time limit. */
export function render(
  template: readonly Statement[],
  variables: Iterable<readonly [string, Value]>,
  clock: () => number,
): string {
  const meter = new Meter(clock);
  const outermost = new Scope();
  for (const [name, value] of globals(meter)) outermost.set(name, value);
  for (const [name, value] of variables) outermost.set(name, value);
  return new Interpreter(meter).body(template, new Scope(outermost));
}

class Interpreter {
  readonly #meter: Meter;

  constructor(meter: Meter) {
    this.#meter = meter;
  }

  body(statements: readonly Statement[], scope: Scope): string {
    let written = '';
    for (const statement of statements) {
      try {
        written += this.#statement(statement, scope);
      } catch (error) {
        if (error instanceof Jump) error.written = written + error.written;
        throw error;
      }
      if (written.length > templateLimits.text) throw exceeded('makes more than', templateLimits.text, 'characters');
    }
    this.#meter.characters(written.length);
    return written;
  }

  #statement(statement: Statement, scope: Scope): string {
    this.#meter.enter();
    try {
      return this.#run(statement, scope);
    } finally {
      this.#meter.leave();
    }
  }

  #run(statement: Statement, scope: Scope): string {
    switch (statement.kind) {
      case 'text':
        return statement.text;
      case 'print':
        return text(this.#value(statement.value, scope), this.#meter);
      case 'if': {
        const taken = statement.branches.find(({ test }) => truth(this.#value(test, scope)));
        return this.body(taken ? taken.body : statement.otherwise, scope);
      }
      case 'for':
        return this.#loop(statement, scope, this.#value(statement.iterable, scope), 0);
      case 'set':
        this.#assign(statement.target, this.#value(statement.value, scope), scope);
        return '';
      case 'capture':
        this.#assign(statement.target, this.#filtered(statement, scope), scope);
        return '';
      case 'filtered':
        return text(this.#filtered(statement, scope), this.#meter);
      case 'with':
        return this.#with(statement, scope);
      case 'macro':
        scope.set(statement.signature.name, this.#macro(statement.signature, scope));
        return '';
      case 'callBlock': {
        const caller = this.#macro(statement.caller, scope);
        const named: [string, Value][] = [['caller', caller]];
        return text(this.#call(statement.call, scope, named), this.#meter);
      }
      default:
        throw new Jump(statement.kind);
    }
  }

  #filtered({ body, filters }: { body: readonly Statement[]; filters: readonly Filter[] }, scope: Scope): Value {
    const inner = new Scope(scope);
    return filters.reduce<Value>((value, filter) => this.#filter(value, filter, inner), this.body(body, inner));
  }

  #with({ sets, body }: Extract<Statement, { kind: 'with' }>, scope: Scope): string {
    const inner = new Scope(scope);
    for (const [target, value] of sets) this.#assign(target, this.#value(value, scope), inner);
    return this.body(body, inner);
  }

  #assign(target: Target, value: Value, scope: Scope): void {
    if (target.kind === 'name') scope.set(target.name, value);
    else if (target.kind === 'attribute') {
      const object = this.#value(target.object, scope);
      if (!(object instanceof Thing) || object.type !== 'Namespace')
        throw new TemplateError('only attributes of a namespace can be assigned to');
      object.attributes.set(target.name, value);
    } else {
      const items = iterate(value, this.#meter);
      if (items.length !== target.items.length)
        throw new TemplateError(`${items.length} values cannot be unpacked into ${target.items.length} names`);
      for (const [i, each] of target.items.entries()) this.#assign(each, items[i], scope);
    }
  }

  #loop(loop: Extract<Statement, { kind: 'for' }>, scope: Scope, iterable: Value, depth: number): string {
    // Templates loop over `tools` without looking whether there are any.
    const items = this.#chosen(loop, scope, iterable === null ? [] : iterate(iterable, this.#meter));
    const again = loop.recursive ? (inner: Value) => this.#loop(loop, scope, inner, depth + 1) : undefined;
    const variable = loopVariable(items, depth, this.#meter, again);
    let written = '';
    let completed = false;
    for (let i = 0; i < items.length; i++) {
      this.#meter.step(1);
      const inner = new Scope(scope);
      variable.go(i);
      inner.set('loop', variable.thing);
      this.#assign(loop.target, items[i], inner);
      try {
        written += this.body(loop.body, inner);
        completed = true;
      } catch (error) {
        if (!(error instanceof Jump)) throw error;
        written += error.written;
        if (error.kind === 'break') break;
      }
      if (written.length > templateLimits.text) throw exceeded('makes more than', templateLimits.text, 'characters');
    }
    // As in Jinja2, `else` is also for a loop whose every turn was cut short.
    return completed ? written : written + this.body(loop.otherwise, new Scope(scope));
  }

  #chosen(
    { target, test }: Extract<Statement, { kind: 'for' }>,
    scope: Scope,
    items: readonly Value[],
  ): readonly Value[] {
    if (!test) return items;
    return items.filter(each => {
      const inner = new Scope(scope);
      this.#assign(target, each, inner);
      return truth(this.#value(test, inner));
    });
  }

  /** A macro sees the names around its definition, as they are when it is called. */
  #macro(signature: Signature, scope: Scope): Callable {
    const { name, parameters, takes } = signature;
    const attributes: [string, Value][] = [
      ['name', name],
      ['arguments', new Tuple(parameters.map(parameter => parameter.name))],
      ['catch_kwargs', takes.has('kwargs')],
      ['catch_varargs', takes.has('varargs')],
      ['caller', takes.has('caller')],
    ];
    return new Callable(name, call => this.#callMacro(signature, new Scope(scope), call), attributes);
  }

  #callMacro({ name, parameters, body, takes }: Signature, scope: Scope, call: Call): string {
    const named = new Map(call.named);
    if (takes.has('caller')) {
      scope.set('caller', named.get('caller'));
      named.delete('caller');
    }
    const missing = parameters.filter((parameter, i) => {
      const given = i < call.positional.length;
      if (given && named.has(parameter.name))
        throw new TemplateError(`macro ${name} got two values for '${parameter.name}'`);
      const found = given || named.has(parameter.name);
      scope.set(parameter.name, given ? call.positional[i] : named.get(parameter.name));
      named.delete(parameter.name);
      return !found;
    });
    for (const { name: key, fallback } of missing) if (fallback) scope.set(key, this.#value(fallback, scope));
    if (takes.has('kwargs')) scope.set('kwargs', new Dict(named));
    else for (const key of named.keys()) throw new TemplateError(`macro ${name} takes no argument '${key}'`);
    if (takes.has('varargs')) scope.set('varargs', new Tuple(call.positional.slice(parameters.length)));
    else if (call.positional.length > parameters.length)
      throw new TemplateError(`macro ${name} takes not more than ${parameters.length} arguments`);
    return this.body(body, scope);
  }

  #value(node: Expression, scope: Scope): Value {
    this.#meter.enter();
    try {
      return this.#evaluate(node, scope);
    } finally {
      this.#meter.leave();
    }
  }

  #values(nodes: readonly Expression[], scope: Scope): Value[] {
    return nodes.map(node => this.#value(node, scope));
  }

  #evaluate(node: Expression, scope: Scope): Value {
    switch (node.kind) {
      case 'literal':
        return node.value;
      case 'name':
        return scope.get(node.name);
      case 'list':
        return this.#values(node.items, scope);
      case 'tuple':
        return new Tuple(this.#values(node.items, scope));
      case 'dict':
        return new Dict(node.pairs.map(([key, value]) => [this.#value(key, scope), this.#value(value, scope)]));
      case 'unary': {
        const value = this.#value(node.operand, scope);
        return node.operator === 'not' ? !truth(value) : unary(node.operator, value);
      }
      case 'binary':
        return binary(node.operator, this.#value(node.left, scope), this.#value(node.right, scope), this.#meter);
      case 'logic': {
        const left = this.#value(node.left, scope);
        return truth(left) === (node.operator === 'or') ? left : this.#value(node.right, scope);
      }
      case 'concat':
        return this.#concat(node.parts, scope);
      case 'compare':
        return this.#compare(node, scope);
      case 'condition':
        if (truth(this.#value(node.test, scope))) return this.#value(node.yes, scope);
        return node.no && this.#value(node.no, scope);
      case 'attribute':
        return attribute(this.#object(node.object, scope), node.name, this.#meter);
      case 'item':
        return this.#item(node, scope);
      case 'call':
        return this.#call(node, scope);
      case 'filter':
        return this.#filter(this.#value(node.operand, scope), node.filter, scope);
      case 'test':
        return runTest(node.name, this.#value(node.operand, scope), this.#arguments(node.args, scope), this.#meter);
    }
  }

  #concat(parts: readonly Expression[], scope: Scope): string {
    return this.#values(parts, scope).reduce<string>(
      (made, part) => this.#meter.joined(made, text(part, this.#meter)),
      '',
    );
  }

  /** `a < b < c` holds if each of its comparisons does. */
  #compare(node: Extract<Expression, { kind: 'compare' }>, scope: Scope): boolean {
    let left = this.#value(node.left, scope);
    for (const { operator, right } of node.rest) {
      const value = this.#value(right, scope);
      if (!comparison(operator, left, value, this.#meter)) return false;
      left = value;
    }
    return true;
  }

  /** A value that something is taken from, so it must be defined. */
  #object(node: Expression, scope: Scope): Value {
    const value = this.#value(node, scope);
    if (value === undefined) throw new TemplateError(`${source(node)} is undefined`);
    return value;
  }

  #item(node: Extract<Expression, { kind: 'item' }>, scope: Scope): Value {
    const object = this.#object(node.object, scope);
    const { key } = node;
    if (key.kind !== 'slice') return item(object, this.#value(key, scope), this.#meter);
    const [start, stop, step] = [key.start, key.stop, key.step].map(each => each && this.#value(each, scope));
    return sliced(object, start, stop, step, this.#meter);
  }

  #call(node: Extract<Expression, { kind: 'call' }>, scope: Scope, extra: readonly [string, Value][] = []): Value {
    const callee = this.#value(node.callee, scope);
    if (callee === undefined) throw new TemplateError(`${source(node.callee)} is undefined`);
    const call = this.#arguments(node.args, scope);
    return callable(callee).call({ positional: call.positional, named: new Map([...call.named, ...extra]) });
  }

  #filter(value: Value, { name, args }: Filter, scope: Scope): Value {
    return runFilter(name, value, this.#arguments(args, scope), this.#meter);
  }

  #arguments(args: Arguments, scope: Scope): Call {
    const positional = this.#values(args.positional, scope);
    const named = new Map<string, Value>();
    for (const [name, value] of args.named) {
      if (named.has(name)) throw new TemplateError(`two values for the argument '${name}'`);
      named.set(name, this.#value(value, scope));
    }
    if (args.spread) positional.push(...iterate(this.#value(args.spread, scope), this.#meter));
    if (args.namedSpread) {
      const dict = this.#value(args.namedSpread, scope);
      if (!(dict instanceof Dict)) throw new TemplateError(`** needs a dictionary, not ${typeName(dict)}`);
      for (const [key, value] of dict.pairs()) {
        if (typeof key !== 'string' || named.has(key)) throw new TemplateError('** needs names that are not there yet');
        named.set(key, value);
      }
    }
    return { positional, named };
  }
}

/** What an expression looks like, for an error's text. */
function source(node: Expression): string {
  if (node.kind === 'name') return `'${node.name}'`;
  if (node.kind === 'attribute') return `'${node.name}' of ${source(node.object)}`;
  if (node.kind === 'item' && node.key.kind === 'literal')
    return `item ${String(node.key.value)} of ${source(node.object)}`;
  return 'a value';
}
