import type { Arguments, Expression, Filter, Slice, Statement, Target } from '../../tokenizer/jinja/syntax.ts';

/** A name that a template uses, and the attributes that it asks of it: `a.b.c`. */
export interface TemplatePath {
  readonly name: string;
  readonly fields: readonly string[];
}

/** What the interpreter knows without being told. */
const known = [
  'range',
  'dict',
  'namespace',
  'cycler',
  'joiner',
  'raise_exception',
  'loop',
  'caller',
  'varargs',
  'kwargs',
];

/** The names that a template takes from outside. One that it sets itself anywhere is its own everywhere. */
export function pathsOf(template: readonly Statement[]): TemplatePath[] {
  const finder = new Finder();
  finder.body(template);
  return finder.found.filter(({ name }) => !finder.own.has(name));
}

class Finder {
  readonly found: TemplatePath[] = [];
  readonly own = new Set(known);

  body(statements: readonly Statement[]): void {
    for (const statement of statements) this.#statement(statement);
  }

  #statement(statement: Statement): void {
    switch (statement.kind) {
      case 'print':
        return this.#value(statement.value);
      case 'if':
        for (const { test, body } of statement.branches) {
          this.#value(test);
          this.body(body);
        }
        return this.body(statement.otherwise);
      case 'for':
        this.#target(statement.target);
        this.#values([statement.iterable, statement.test]);
        this.body(statement.body);
        return this.body(statement.otherwise);
      case 'set':
        this.#target(statement.target);
        return this.#value(statement.value);
      case 'capture':
        this.#target(statement.target);
        this.#filters(statement.filters);
        return this.body(statement.body);
      case 'filtered':
        this.#filters(statement.filters);
        return this.body(statement.body);
      case 'with':
        for (const [target, value] of statement.sets) {
          this.#target(target);
          this.#value(value);
        }
        return this.body(statement.body);
      case 'macro':
        return this.#signature(statement.signature);
      case 'callBlock':
        this.#value(statement.call);
        return this.#signature(statement.caller);
      default:
    }
  }

  #signature({ name, parameters, body }: Extract<Statement, { kind: 'macro' }>['signature']): void {
    this.own.add(name);
    for (const parameter of parameters) {
      this.own.add(parameter.name);
      this.#value(parameter.fallback);
    }
    this.body(body);
  }

  #target(target: Target): void {
    if (target.kind === 'name') this.own.add(target.name);
    else if (target.kind === 'tuple') for (const item of target.items) this.#target(item);
    else this.#value(target.object);
  }

  #filters(filters: readonly Filter[]): void {
    for (const { args } of filters) this.#arguments(args);
  }

  #arguments({ positional, named, spread, namedSpread }: Arguments): void {
    this.#values([...positional, ...named.map(([, value]) => value), spread, namedSpread]);
  }

  #values(values: readonly (Expression | undefined)[]): void {
    for (const value of values) this.#value(value);
  }

  #value(value: Expression | Slice | undefined): void {
    if (!value) return;
    const path = pathOf(value);
    if (path) {
      this.found.push(path);
      return;
    }
    switch (value.kind) {
      case 'list':
      case 'tuple':
        return this.#values(value.items);
      case 'dict':
        return this.#values(value.pairs.flat());
      case 'unary':
        return this.#value(value.operand);
      case 'binary':
      case 'logic':
        return this.#values([value.left, value.right]);
      case 'concat':
        return this.#values(value.parts);
      case 'compare':
        return this.#values([value.left, ...value.rest.map(({ right }) => right)]);
      case 'condition':
        return this.#values([value.test, value.yes, value.no]);
      case 'attribute':
        return this.#value(value.object);
      case 'item':
        this.#value(value.object);
        return this.#value(value.key);
      case 'slice':
        return this.#values([value.start, value.stop, value.step]);
      case 'call':
        // A method's name is no field.
        this.#value(value.callee.kind === 'attribute' ? value.callee.object : value.callee);
        return this.#arguments(value.args);
      case 'filter':
        this.#value(value.operand);
        return this.#arguments(value.filter.args);
      case 'test':
        this.#value(value.operand);
        return this.#arguments(value.args);
      default:
    }
  }
}

function pathOf(value: Expression | Slice): TemplatePath | undefined {
  const fields: string[] = [];
  let at = value;
  while (at.kind === 'attribute') {
    fields.unshift(at.name);
    at = at.object;
  }
  return at.kind === 'name' ? { name: at.name, fields } : undefined;
}
