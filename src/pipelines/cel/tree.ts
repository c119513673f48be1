import type { ParseResult } from '@marcbachmann/cel-js';

/** What of the library's syntax tree is read here; `test` in expression.test.ts notices when it changes. */
export interface CelNode {
  readonly op: string;
  readonly args: unknown;
  readonly start: number;
  readonly end: number;
  readonly meta: {
    readonly evaluate: Evaluate;
    /** What a macro stands for: a comprehension. */
    readonly alternate?: CelNode;
    readonly macro?: { readonly args?: readonly CelNode[] };
  };
  evaluate: Evaluate;
}

export type Evaluate = (evaluator: unknown, node: CelNode, context: unknown) => unknown;

/** The library's comprehension: `list.map(x, …)` and the like. */
export interface Comprehension {
  readonly iterable: CelNode;
  readonly iterVarName: string;
  readonly init: CelNode;
  readonly step: CelNode;
}

export interface CelCall {
  readonly name: string;
  readonly receiver?: CelNode | undefined;
  readonly args: readonly CelNode[];
}

export const rootOf = (parsed: ParseResult): CelNode => parsed.ast as unknown as CelNode;

const isNode = (value: unknown): value is CelNode => typeof value === 'object' && value !== null && 'op' in value;

export function comprehensionOf(node: CelNode): Comprehension | undefined {
  return node.op === 'comprehension' ? (node.args as Comprehension) : undefined;
}

export function callOf(node: CelNode): CelCall | undefined {
  if (node.op === 'call') {
    const [name, args] = node.args as [string, CelNode[]];
    return { name, args };
  }
  if (node.op !== 'rcall') return undefined;
  const [name, receiver, args] = node.args as [string, CelNode, CelNode[]];
  return { name, receiver, args };
}

/** The nodes that computing a node may compute; a macro's are those of what it stands for. */
export function childrenOf(node: CelNode): readonly CelNode[] {
  if (node.meta.alternate) return [node.meta.alternate];
  if (node.meta.macro) return node.meta.macro.args ?? [];
  const loop = comprehensionOf(node);
  if (loop) return [loop.iterable, loop.init, loop.step];
  const call = callOf(node);
  if (call) return call.receiver ? [call.receiver, ...call.args] : call.args;
  return [node.args].flat(2).filter(isNode);
}

/** `a.b.c` as its name and its fields; undefined for anything else. */
export function pathOf(node: CelNode): { readonly root: CelNode; readonly fields: readonly CelNode[] } | undefined {
  const fields: CelNode[] = [];
  let at = node;
  while (at.op === '.') {
    fields.unshift(at);
    [at] = at.args as [CelNode];
  }
  return at.op === 'id' ? { root: at, fields } : undefined;
}

export const fieldOf = (node: CelNode): string => (node.args as [CelNode, string])[1];
