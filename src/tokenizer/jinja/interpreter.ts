import { Evaluator } from './evaluator.ts';
import { globals } from './globals.ts';
import { exceeded, Meter, templateLimits } from './limits.ts';
import { loopVariable } from './loop.ts';
import { text } from './printing.ts';
import { Scope } from './scope.ts';
import type { Filter, Signature, Statement, Target } from './syntax.ts';
import { type Call, Callable, Dict, iterate, TemplateError, Thing, Tuple, truth, type Value } from './values.ts';

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

/** What a template writes with these variables. `clock` gives milliseconds that only grow, for the time limit. `maxSteps`: default as for chats. */
export function render(
  template: readonly Statement[],
  variables: Iterable<readonly [string, Value]>,
  clock: () => number,
  maxSteps?: number,
): string {
  const meter = new Meter(clock, maxSteps);
  const outermost = new Scope();
  for (const [name, value] of globals(meter)) outermost.set(name, value);
  for (const [name, value] of variables) outermost.set(name, value);
  return new Interpreter(meter).body(template, new Scope(outermost));
}

class Interpreter extends Evaluator {
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
    this.meter.characters(written.length);
    return written;
  }

  #statement(statement: Statement, scope: Scope): string {
    this.meter.enter();
    try {
      return this.#run(statement, scope);
    } finally {
      this.meter.leave();
    }
  }

  #run(statement: Statement, scope: Scope): string {
    switch (statement.kind) {
      case 'text':
        return statement.text;
      case 'print':
        return text(this.value(statement.value, scope), this.meter);
      case 'if': {
        const taken = statement.branches.find(({ test }) => truth(this.value(test, scope)));
        return this.body(taken ? taken.body : statement.otherwise, scope);
      }
      case 'for':
        return this.#loop(statement, scope, this.value(statement.iterable, scope), 0);
      case 'set':
        this.#assign(statement.target, this.value(statement.value, scope), scope);
        return '';
      case 'capture':
        this.#assign(statement.target, this.#filtered(statement, scope), scope);
        return '';
      case 'filtered':
        return text(this.#filtered(statement, scope), this.meter);
      case 'with':
        return this.#with(statement, scope);
      case 'macro':
        scope.set(statement.signature.name, this.#macro(statement.signature, scope));
        return '';
      case 'callBlock': {
        const caller = this.#macro(statement.caller, scope);
        const named: [string, Value][] = [['caller', caller]];
        return text(this.call(statement.call, scope, named), this.meter);
      }
      default:
        throw new Jump(statement.kind);
    }
  }

  #filtered({ body, filters }: { body: readonly Statement[]; filters: readonly Filter[] }, scope: Scope): Value {
    const inner = new Scope(scope);
    return filters.reduce<Value>((value, filter) => this.filter(value, filter, inner), this.body(body, inner));
  }

  #with({ sets, body }: Extract<Statement, { kind: 'with' }>, scope: Scope): string {
    const inner = new Scope(scope);
    for (const [target, value] of sets) this.#assign(target, this.value(value, scope), inner);
    return this.body(body, inner);
  }

  #assign(target: Target, value: Value, scope: Scope): void {
    if (target.kind === 'name') scope.set(target.name, value);
    else if (target.kind === 'attribute') {
      const object = this.value(target.object, scope);
      if (!(object instanceof Thing) || object.type !== 'Namespace')
        throw new TemplateError('only attributes of a namespace can be assigned to');
      object.attributes.set(target.name, value);
    } else {
      const items = iterate(value, this.meter);
      if (items.length !== target.items.length)
        throw new TemplateError(`${items.length} values cannot be unpacked into ${target.items.length} names`);
      for (const [i, each] of target.items.entries()) this.#assign(each, items[i], scope);
    }
  }

  #loop(loop: Extract<Statement, { kind: 'for' }>, scope: Scope, iterable: Value, depth: number): string {
    // Templates loop over `tools` without looking whether there are any.
    const items = this.#chosen(loop, scope, iterable === null ? [] : iterate(iterable, this.meter));
    const again = loop.recursive ? (inner: Value) => this.#loop(loop, scope, inner, depth + 1) : undefined;
    const variable = loopVariable(items, depth, this.meter, again);
    let written = '';
    let completed = false;
    for (let i = 0; i < items.length; i++) {
      this.meter.step(1);
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
      return truth(this.value(test, inner));
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
    for (const { name: key, fallback } of missing) if (fallback) scope.set(key, this.value(fallback, scope));
    if (takes.has('kwargs')) scope.set('kwargs', new Dict(named));
    else for (const key of named.keys()) throw new TemplateError(`macro ${name} takes no argument '${key}'`);
    if (takes.has('varargs')) scope.set('varargs', new Tuple(call.positional.slice(parameters.length)));
    else if (call.positional.length > parameters.length)
      throw new TemplateError(`macro ${name} takes not more than ${parameters.length} arguments`);
    return this.body(body, scope);
  }
}
