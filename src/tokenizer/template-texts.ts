import { type Node, parse, tokenize } from './jinja.ts';

/** What kinds of text a template's source has; some are in both lists. */
export interface TemplateTexts {
  /** May be looked for in other text, or compared with it. */
  readonly searched: readonly string[];
  /** May be written. */
  readonly written: readonly string[];
}

/** What a literal is there for: text under a name or in a list may be both. */
type Use = 'searched' | 'written' | 'either';

/** The text literals of a template, by what they may be there for. */
export function textsOf(source: string): TemplateTexts {
  const searched = new Set<string>();
  const written = new Set<string>();
  eachText(parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true })), (node, use) => {
    if (use !== 'written') searched.add(String(node.value));
    if (use !== 'searched') written.add(String(node.value));
  });
  return { searched: [...searched].filter(text => text.trim() !== ''), written: [...written] };
}

/** Changes the texts that a parsed template looks for, in place; those that may be written stay. */
export function changeSearched(tree: Node, change: (text: string) => string): void {
  eachText(tree, (node, use) => {
    if (use === 'searched') node.value = change(String(node.value));
  });
}

/** Every text literal but the names of members; a loop, so that deep nesting needs no stack. */
function eachText(tree: Node, act: (node: Node, use: Use) => void): void {
  const waiting: { part: unknown; parent?: Node; key: string }[] = [{ part: tree, key: '' }];
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const { part, parent, key } = next;
    if (typeof part !== 'object' || part === null) continue;
    const node = part as Node;
    if (node.type === 'StringLiteral') {
      if (key !== 'property') act(node, useOf(node, parent, key));
      continue;
    }
    const owner = typeof node.type === 'string' ? node : parent;
    const children = part instanceof Map ? [...part].flat().map(child => ['', child]) : Object.entries(part);
    for (const [name, child] of children) {
      waiting.push({ part: child, parent: owner, key: Array.isArray(part) ? key : String(name) });
    }
  }
}

const COMPARES = /^(==|!=|in|not in)$/;
const JOINS = /^[+~]$/;
/** Methods and filters whose first argument is looked for. */
const SEARCHES = new Set(
  'split rsplit partition startswith endswith strip lstrip rstrip removeprefix removesuffix replace find rfind index count trim'.split(
    ' ',
  ),
);

function useOf(node: Node, parent: Node | undefined, key: string): Use {
  switch (parent?.type) {
    case 'BinaryExpression': {
      const operator = parent.operator!.value;
      return COMPARES.test(operator) ? 'searched' : JOINS.test(operator) ? 'written' : 'either';
    }
    case 'CallExpression': {
      const name = parent.callee?.property?.value ?? parent.callee?.value;
      return parent.args?.[0] === node && SEARCHES.has(String(name)) ? 'searched' : 'either';
    }
    case 'Program':
    case 'If':
    case 'For':
    case 'Macro':
      return key === 'body' || key === 'alternate' || key === 'defaultBlock' ? 'written' : 'either';
    default:
      return 'either';
  }
}
