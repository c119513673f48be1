import { RealmError } from '../../errors.ts';
import type { JsonText } from '../json-text.ts';
import type { RegexTests } from '../regex-tests.ts';
import { type Budget, unsupported } from './budget.ts';
import type { Form, Layer, SchemaAlgebra, SchemaNode } from './forms.ts';
import { intersectForms } from './intersect.ts';
import { negateForms } from './negate.ts';

/** Makes nodes, each once. */
export class Nodes implements SchemaAlgebra {
  readonly text: JsonText;
  readonly tests: RegexTests;
  readonly budget: Budget;
  readonly any: SchemaNode;
  readonly never: SchemaNode;
  readonly #nodes = new Map<string, SchemaNode>();
  readonly #reading = new Set<string>();
  readonly #read = new Map<string, readonly Form[]>();
  readonly #empty = new Map<string, boolean>();

  constructor(text: JsonText, tests: RegexTests, budget: Budget) {
    this.text = text;
    this.tests = tests;
    this.budget = budget;
    this.any = this.of('any', '', () => this.anyForms());
    this.never = this.of('never', '', () => []);
  }

  of(key: string, path: string, read: () => readonly Form[]): SchemaNode {
    let node = this.#nodes.get(key);
    if (!node) {
      node = { key, path, forms: () => this.#forms(key, path, read) };
      this.#nodes.set(key, node);
    }
    return node;
  }

  #forms(key: string, path: string, read: () => readonly Form[]): readonly Form[] {
    const known = this.#read.get(key);
    if (known) return known;
    if (this.#reading.has(key)) throw unsupported('$ref', path, 'it leads back to itself');
    if (this.#reading.size > 400)
      throw new RealmError('grammar_limit', `the schema nests too deeply, at ${path || '/'}`);
    this.#reading.add(key);
    try {
      this.budget.spend(1);
      const forms = read();
      this.#read.set(key, forms);
      return forms;
    } finally {
      this.#reading.delete(key);
    }
  }

  and(nodes: readonly SchemaNode[]): SchemaNode {
    const parts = new Map<string, SchemaNode>();
    for (const node of nodes) for (const part of conjuncts.get(node) ?? [node]) parts.set(part.key, part);
    if (parts.has(this.never.key)) return this.never;
    if (parts.size > 1) parts.delete(this.any.key);
    const list = [...parts.values()];
    if (list.length === 1) return list[0]!;
    if (list.length === 0) return this.any;
    const key = `(${[...parts.keys()].sort().join('&')})`;
    const node = this.of(key, list.at(-1)!.path, () =>
      list.map(part => part.forms()).reduce((forms, more) => this.intersect(forms, more)),
    );
    conjuncts.set(node, list);
    return node;
  }

  not(node: SchemaNode): SchemaNode {
    if (node === this.any) return this.never;
    if (node === this.never) return this.any;
    return this.of(`!${node.key}`, node.path, () => negateForms(node.forms(), this, node.path));
  }

  intersect(a: readonly Form[], b: readonly Form[]): readonly Form[] {
    return intersectForms(a, b, this);
  }

  anyForms(): readonly Form[] {
    return [
      { type: 'null' },
      { type: 'boolean', value: false },
      { type: 'boolean', value: true },
      { type: 'number', integer: undefined },
      { type: 'string', values: undefined, content: this.text.anyText },
      { type: 'array', prefix: [], items: this.any, contains: [], min: 0, max: Number.POSITIVE_INFINITY },
      { type: 'object', layers: [], required: new Set(), min: 0, max: Number.POSITIVE_INFINITY },
    ];
  }

  /** Whether nothing matches, as far as can be told without following a schema into itself. */
  isEmpty(node: SchemaNode): boolean {
    const known = this.#empty.get(node.key);
    if (known !== undefined) return known;
    if (this.#reading.has(node.key)) return false;
    this.#empty.set(node.key, false);
    const empty = node.forms().every(form => this.#isEmptyForm(form));
    this.#empty.set(node.key, empty);
    return empty;
  }

  #isEmptyForm(form: Form): boolean {
    if (form.type === 'array') {
      if (form.min > form.max) return true;
      if (form.contains.some(node => this.isEmpty(node))) return true;
      if (form.prefix.slice(0, form.min).some(node => this.isEmpty(node))) return true;
      return form.min > form.prefix.length && this.isEmpty(form.items);
    }
    if (form.type !== 'object') return false;
    if (form.required.size > form.max) return true;
    return [...form.required].some(name => this.isEmpty(this.member(form.layers, name)));
  }

  member(layers: readonly Layer[], name: string): SchemaNode {
    return this.and(layers.flatMap(layer => this.#memberOf(layer, name)));
  }

  #memberOf(layer: Layer, name: string): SchemaNode[] {
    const nodes = layer.patterns
      .filter(pattern => this.tests.matches(pattern.name, JSON.stringify(name).slice(1, -1)))
      .map(pattern => pattern.node);
    const own = layer.properties.get(name);
    if (own) nodes.push(own);
    return nodes.length > 0 ? nodes : [layer.additional];
  }
}

/** The parts of nodes that `and` made. */
const conjuncts = new WeakMap<SchemaNode, readonly SchemaNode[]>();
