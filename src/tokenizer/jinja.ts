import * as library from '@huggingface/jinja';

/*
 * The part of `@huggingface/jinja` that Realm uses, with types: the library's own do not resolve under Node's module
 * rules, since they import each other without file extensions.
 */

/** A node of a parsed template; which fields it has depends on its type. */
export interface Node {
  type: string;
  body?: Node[];
  operand?: Node;
  object?: Node;
  property?: Node;
  computed?: boolean;
  callee?: Node;
  call?: Node;
  filter?: Node;
  iterable?: Node;
  lhs?: Node;
  assignee?: Node;
  argument?: Node;
  args?: Node[];
  operator?: { value: string };
  /** A literal's value, an identifier's name, a set statement's or keyword argument's expression. */
  value?: unknown;
}

/** A value while a template runs: `value` holds text, number, Map, list of Values … by `type`. */
export interface Value {
  type: string;
  value: unknown;
}

export interface Environment {
  set(name: string, value: unknown): void;
}

export interface Interpreter {
  evaluate(node: Node | undefined, environment: Environment): Value;
  run(program: Node): Value;
}

export const { Environment, Interpreter, parse, tokenize } = library as unknown as {
  Environment: new () => Environment;
  Interpreter: new (environment: Environment) => Interpreter;
  parse: (tokens: unknown[]) => Node;
  tokenize: (source: string, options: { lstrip_blocks: boolean; trim_blocks: boolean }) => unknown[];
};
