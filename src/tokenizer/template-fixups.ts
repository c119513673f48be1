import { type Node, parse, tokenize } from './jinja.ts';

/**
 * What templates use and the library lacks, expressed with what it has. Changes a parsed program in place:
 * - `'<{}>'.format(x)` becomes a chain of `.replace('{}', x, 1)`;
 * - a loop over nothing (undefined or none, as `tools` may be) runs no times, as in Jinja, instead of failing;
 * - a constant dictionary with integer keys gets text keys, and sorting it gives the pairs with their integers.
 */
export function applyFixups(program: Node): Node {
  const byNumber = new Map<string, Node>();
  visit(program, node => collectNumberKeys(node, byNumber));
  visit(program, node => {
    rewriteFormat(node);
    rewriteLoop(node);
    rewriteNumberKeys(node, byNumber);
  });
  return program;
}

/** Visits every node below `part`, children first; a loop, so that deep nesting needs no stack. */
function visit(part: Node, act: (node: Node) => void): void {
  const found: object[] = [];
  const waiting: unknown[] = [part];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (typeof next !== 'object' || next === null) continue;
    found.push(next);
    waiting.push(
      ...(next instanceof Map ? [...next].flat() : Object.values(next)).filter(child => child !== undefined),
    );
  }
  for (const object of found.reverse()) if ('type' in object) act(object as Node);
}

/** A parsed expression, to graft other nodes into. */
function expression(source: string): Node {
  return parse(tokenize(`{{ ${source} }}`, { lstrip_blocks: false, trim_blocks: false })).body![0];
}

function rewriteFormat(node: Node): void {
  const method = node.callee;
  if (node.type !== 'CallExpression' || method?.type !== 'MemberExpression' || method.computed) return;
  if (method.property?.value !== 'format' || !node.args?.length) return;
  if (node.args.some(arg => arg.type === 'KeywordArgumentExpression')) return;
  let text = method.object!;
  for (const argument of node.args) {
    const replaced = expression(`text.replace('{}', argument | string, 1)`);
    replaced.callee!.object = text;
    replaced.args![1].operand = argument;
    text = replaced;
  }
  Object.assign(node, text);
}

function rewriteLoop(node: Node): void {
  if (node.type !== 'For') return;
  const filtered = node.iterable!.type === 'SelectExpression' ? node.iterable : undefined;
  const orNothing = expression('list | default([], true)');
  orNothing.operand = filtered ? filtered.lhs! : node.iterable!;
  if (filtered) filtered.lhs = orNothing;
  else node.iterable = orNothing;
}

/** Remembers `{% set name = {1: a, 2: b} %}` by its name. */
function collectNumberKeys(node: Node, byNumber: Map<string, Node>): void {
  const literal = node.value as Node | undefined;
  if (node.type !== 'Set' || node.assignee?.type !== 'Identifier' || literal?.type !== 'ObjectLiteral') return;
  const keys = [...(literal.value as Map<Node, Node>).keys()];
  if (keys.length > 0 && keys.every(key => key.type === 'IntegerLiteral')) {
    byNumber.set(String(node.assignee.value), { ...literal, value: new Map(literal.value as Map<Node, Node>) });
  }
}

function rewriteNumberKeys(node: Node, byNumber: ReadonlyMap<string, Node>): void {
  if (byNumber.size === 0) return;
  if (node.type === 'ObjectLiteral') {
    const pairs = [...(node.value as Map<Node, Node>)];
    node.value = new Map(pairs.map(([key, value]) => [key.type === 'IntegerLiteral' ? asText(key) : key, value]));
  } else if (node.type === 'MemberExpression' && node.property?.type === 'IntegerLiteral') {
    if (byNumber.has(String(node.object?.value))) node.property = asText(node.property);
  } else if (node.type === 'FilterExpression' && node.filter?.value === 'dictsort') {
    const literal = byNumber.get(String(node.operand?.value));
    if (literal) Object.assign(node, { type: 'ArrayLiteral', value: sortedPairs(literal) });
  }
}

function asText(key: Node): Node {
  return expression(`'${key.value}'`);
}

function sortedPairs(literal: Node): Node[] {
  const pairs = [...(literal.value as Map<Node, Node>)];
  return pairs
    .sort(([a], [b]) => Number(a.value) - Number(b.value))
    .map(pair => Object.assign(expression('[]'), { value: pair }));
}
