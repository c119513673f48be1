import { runFilter } from './filters.ts';
import type { Meter } from './limits.ts';
import { attribute, callable, item, sliced } from './members.ts';
import { binary, comparison, unary } from './operators.ts';
import { ownList } from './own-lists.ts';
import { text } from './printing.ts';
import type { Scope } from './scope.ts';
import type { Arguments, Expression, Filter } from './syntax.ts';
import { runTest } from './tests.ts';
import { type Call, Dict, iterate, TemplateError, Tuple, truth, typeName, type Value } from './values.ts';

/** Gives expressions their values. */
export class Evaluator {
  protected readonly meter: Meter;

  constructor(meter: Meter) {
    this.meter = meter;
  }

  protected value(node: Expression, scope: Scope): Value {
    this.meter.enter();
    try {
      return this.#evaluate(node, scope);
    } finally {
      this.meter.leave();
    }
  }

  #values(nodes: readonly Expression[], scope: Scope): Value[] {
    return nodes.map(node => this.value(node, scope));
  }

  #evaluate(node: Expression, scope: Scope): Value {
    switch (node.kind) {
      case 'literal':
        return node.value;
      case 'name':
        return scope.get(node.name);
      case 'list':
        return ownList(this.#values(node.items, scope));
      case 'tuple':
        return new Tuple(this.#values(node.items, scope));
      case 'dict':
        return new Dict(node.pairs.map(([key, value]) => [this.value(key, scope), this.value(value, scope)]));
      case 'unary': {
        const value = this.value(node.operand, scope);
        return node.operator === 'not' ? !truth(value) : unary(node.operator, value);
      }
      case 'binary':
        return binary(node.operator, this.value(node.left, scope), this.value(node.right, scope), this.meter);
      case 'logic': {
        const left = this.value(node.left, scope);
        return truth(left) === (node.operator === 'or') ? left : this.value(node.right, scope);
      }
      case 'concat':
        return this.#concat(node.parts, scope);
      case 'compare':
        return this.#compare(node, scope);
      case 'condition':
        if (truth(this.value(node.test, scope))) return this.value(node.yes, scope);
        return node.no && this.value(node.no, scope);
      case 'attribute':
        return attribute(this.#object(node.object, scope), node.name, this.meter);
      case 'item':
        return this.#item(node, scope);
      case 'call':
        return this.call(node, scope);
      case 'filter':
        return this.filter(this.value(node.operand, scope), node.filter, scope);
      case 'test':
        return runTest(node.name, this.value(node.operand, scope), this.arguments(node.args, scope), this.meter);
    }
  }

  #concat(parts: readonly Expression[], scope: Scope): string {
    return this.#values(parts, scope).reduce<string>(
      (made, part) => this.meter.joined(made, text(part, this.meter)),
      '',
    );
  }

  /** `a < b < c` holds if each of its comparisons does. */
  #compare(node: Extract<Expression, { kind: 'compare' }>, scope: Scope): boolean {
    let left = this.value(node.left, scope);
    for (const { operator, right } of node.rest) {
      const value = this.value(right, scope);
      if (!comparison(operator, left, value, this.meter)) return false;
      left = value;
    }
    return true;
  }

  /** A value that something is taken from, so it must be defined. */
  #object(node: Expression, scope: Scope): Value {
    const value = this.value(node, scope);
    if (value === undefined) throw new TemplateError(`${source(node)} is undefined`);
    return value;
  }

  #item(node: Extract<Expression, { kind: 'item' }>, scope: Scope): Value {
    const object = this.#object(node.object, scope);
    const { key } = node;
    if (key.kind !== 'slice') return item(object, this.value(key, scope), this.meter);
    const [start, stop, step] = [key.start, key.stop, key.step].map(each => each && this.value(each, scope));
    return sliced(object, start, stop, step, this.meter);
  }

  protected call(
    node: Extract<Expression, { kind: 'call' }>,
    scope: Scope,
    extra: readonly [string, Value][] = [],
  ): Value {
    const callee = this.value(node.callee, scope);
    if (callee === undefined) throw new TemplateError(`${source(node.callee)} is undefined`);
    const call = this.arguments(node.args, scope);
    const made = callable(callee).call({ positional: call.positional, named: new Map([...call.named, ...extra]) });
    return typeof made === 'string' ? this.meter.text(made) : made;
  }

  protected filter(value: Value, { name, args }: Filter, scope: Scope): Value {
    return runFilter(name, value, this.arguments(args, scope), this.meter);
  }

  protected arguments(args: Arguments, scope: Scope): Call {
    const positional = this.#values(args.positional, scope);
    const named = new Map<string, Value>();
    for (const [name, value] of args.named) {
      if (named.has(name)) throw new TemplateError(`two values for the argument '${name}'`);
      named.set(name, this.value(value, scope));
    }
    if (args.spread) positional.push(...iterate(this.value(args.spread, scope), this.meter));
    if (args.namedSpread) {
      const dict = this.value(args.namedSpread, scope);
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
