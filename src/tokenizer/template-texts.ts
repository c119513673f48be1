import { parse } from './jinja/parser.ts';
import type { Expression, Statement } from './jinja/syntax.ts';

/** What kinds of text a template's source has; some are in both lists. */
export interface TemplateTexts {
  /** May be looked for in other text, or compared with it. */
  readonly searched: readonly string[];
  /** May be written. */
  readonly written: readonly string[];
}

/** What a literal is there for: text under a name or in a list may be both. */
type Use = 'searched' | 'written' | 'either';

type Node = Expression | Statement;
type Text = { value: string };

/** The text literals of a template, by what they may be there for. */
export function textsOf(source: string): TemplateTexts {
  const searched = new Set<string>();
  const written = new Set<string>();
  eachText(parse(source), ({ value }, use) => {
    if (use !== 'written') searched.add(value);
    if (use !== 'searched') written.add(value);
  });
  return { searched: [...searched].filter(text => text.trim() !== ''), written: [...written] };
}

/** Changes the texts that a parsed template looks for, in place; those that may be written stay. */
export function changeSearched(program: readonly Statement[], change: (text: string) => string): void {
  eachText(program, (literal, use) => {
    if (use === 'searched') literal.value = change(literal.value);
  });
}

/** Every text but the names of members; a loop, so that deep nesting needs no stack. */
function eachText(program: readonly Statement[], act: (literal: Text, use: Use) => void): void {
  const waiting: { part: unknown; parent?: Node | undefined }[] = [{ part: program }];
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const { part, parent } = next;
    if (typeof part !== 'object' || part === null) continue;
    const node = 'kind' in part ? (part as Node) : undefined;
    if (node?.kind === 'text') act({ value: node.text }, 'written');
    else if (node?.kind === 'literal' && typeof node.value === 'string') {
      if (!(parent?.kind === 'item' && parent.key === node)) act(node as Text, useOf(node, parent));
    } else for (const child of Object.values(part)) waiting.push({ part: child, parent: node ?? parent });
  }
}

const COMPARES = /^(==|!=|in|not in)$/;
/** Methods and filters whose first argument is looked for. */
const SEARCHES = new Set(
  'split rsplit partition rpartition startswith endswith strip lstrip rstrip removeprefix removesuffix replace find rfind index rindex count trim'.split(
    ' ',
  ),
);

function useOf(node: Expression, parent: Node | undefined): Use {
  switch (parent?.kind) {
    case 'compare': {
      const comparison = parent.rest.find(({ right }) => right === node) ?? parent.rest[0];
      return comparison && COMPARES.test(comparison.operator) ? 'searched' : 'either';
    }
    case 'test':
      return 'searched';
    case 'concat':
    case 'print':
      return 'written';
    case 'binary':
      return parent.operator === '+' ? 'written' : 'either';
    case 'call': {
      const { callee, args } = parent;
      return callee.kind === 'attribute' && SEARCHES.has(callee.name) && args.positional[0] === node
        ? 'searched'
        : 'either';
    }
    case 'filter':
      return SEARCHES.has(parent.filter.name) && parent.filter.args.positional[0] === node ? 'searched' : 'either';
    default:
      return 'either';
  }
}
