import { unsupported } from './budget.ts';
import type { Form, SchemaNode } from './forms.ts';
import { hasEffect, inexpressible } from './keywords.ts';
import type { Nodes } from './node.ts';
import { isObject, type Place, References } from './references.ts';
import { type Readers, typedForms } from './typed.ts';
import { valueForms } from './values.ts';

/** Reads the places of a document as schemas. */
export class SchemaReader implements Readers {
  readonly nodes: Nodes;
  readonly #references: References;

  constructor(schema: unknown, nodes: Nodes) {
    this.nodes = nodes;
    this.#references = new References(schema);
  }

  get root(): SchemaNode {
    return this.node(this.#references.root);
  }

  child(place: Place, ...keys: readonly (string | number)[]): SchemaNode {
    return this.node(this.#references.child(place, ...keys));
  }

  node(place: Place): SchemaNode {
    const { value, path } = place;
    if (value === true || (isObject(value) && Object.keys(value).length === 0)) return this.nodes.any;
    if (value === false) return this.nodes.never;
    return this.nodes.of(`#${path}`, path, () => this.#read(place));
  }

  #read(place: Place): readonly Form[] {
    const { value, path } = place;
    if (!isObject(value)) throw unsupported('schema', path, 'a schema is an object, true or false');
    if ('$ref' in value && this.#references.refAlone) return this.#reference(place, value.$ref).forms();
    for (const [keyword, { reason, idle }] of Object.entries(inexpressible)) {
      if (Object.hasOwn(value, keyword) && !idle(value[keyword], value)) throw unsupported(keyword, path, reason);
    }
    let forms: readonly Form[] | undefined;
    for (const keyword of inOrder(value)) {
      for (const more of this.#conjuncts(keyword, value, place))
        forms = forms ? this.nodes.intersect(forms, more.forms()) : more.forms();
    }
    return forms!;
  }

  /** What a keyword demands, in the order of the schema: so members come in the order in which it first names them. */
  *#conjuncts(keyword: string, schema: Record<string, unknown>, place: Place): Generator<Pick<SchemaNode, 'forms'>> {
    const { nodes } = this;
    const { path } = place;
    const own = (values: readonly unknown[]) =>
      nodes.of(`#${path}/${keyword}()`, path, () => valueForms(values, nodes, path, keyword));
    switch (keyword) {
      case typed:
        yield { forms: () => typedForms(schema, place, this) };
        break;
      case '$ref':
        yield this.#reference(place, schema.$ref);
        break;
      case 'const':
        yield own([schema.const]);
        break;
      case 'enum':
        if (!Array.isArray(schema.enum)) throw unsupported('enum', path, 'it is a list');
        yield own(schema.enum);
        break;
      case 'allOf':
        yield* this.#list(schema, place, 'allOf');
        break;
      case 'anyOf':
        yield this.#union('anyOf', this.#list(schema, place, 'anyOf'), path);
        break;
      case 'oneOf':
        yield this.#oneOf(this.#list(schema, place, 'oneOf'), path);
        break;
      case 'not':
        yield nodes.not(this.child(place, 'not'));
        break;
      case 'if':
        yield* this.#conditional(schema, place);
        break;
      case 'dependencies':
      case 'dependentRequired':
      case 'dependentSchemas':
        yield* this.#dependencies(keyword, schema[keyword], place);
        break;
    }
  }

  #reference(place: Place, reference: unknown): SchemaNode {
    if (typeof reference !== 'string') throw unsupported('$ref', place.path, 'it is a text');
    return this.node(this.#references.resolve(reference, place));
  }

  #list(schema: Record<string, unknown>, place: Place, keyword: string): SchemaNode[] {
    if (!Object.hasOwn(schema, keyword)) return [];
    const parts = schema[keyword];
    if (!Array.isArray(parts)) throw unsupported(keyword, place.path, 'it is a list');
    return parts.map((_, at) => this.child(place, keyword, at));
  }

  #union(keyword: string, parts: readonly SchemaNode[], path: string): SchemaNode {
    const { nodes } = this;
    if (parts.includes(nodes.any)) return nodes.any;
    return nodes.of(`(${keyword} ${parts.map(part => part.key).join('|')})`, path, () => {
      const forms = parts.flatMap(part => part.forms());
      nodes.budget.spend(forms.length);
      return forms;
    });
  }

  /** Parts that exclude each other are alternatives; of those that overlap each excludes the others. */
  #oneOf(parts: readonly SchemaNode[], path: string): SchemaNode {
    const { nodes } = this;
    const overlaps = parts.map((part, at) =>
      parts.filter((other, index) => index !== at && (other === part || !nodes.isEmpty(nodes.and([part, other])))),
    );
    if (overlaps.every(others => others.length === 0)) return this.#union('oneOf', parts, path);
    try {
      const apart = parts.map((part, at) => nodes.and([part, ...overlaps[at]!.map(other => nodes.not(other))]));
      for (const node of apart) node.forms();
      return this.#union('oneOf', apart, path);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'schema_unsupported')) throw error;
      throw unsupported('oneOf', path, 'its parts overlap, and no grammar tells them apart');
    }
  }

  *#conditional(schema: Record<string, unknown>, place: Place): Generator<SchemaNode> {
    const { nodes } = this;
    const branch = (keyword: string) => (Object.hasOwn(schema, keyword) ? this.child(place, keyword) : nodes.any);
    const [condition, then, otherwise] = [this.child(place, 'if'), branch('then'), branch('else')];
    if (then === nodes.any && otherwise === nodes.any) return;
    yield this.#union('if', [nodes.and([condition, then]), nodes.and([nodes.not(condition), otherwise])], place.path);
  }

  /** For each: the member is not there, or what it brings with it holds. */
  *#dependencies(keyword: string, dependencies: unknown, place: Place): Generator<SchemaNode> {
    if (!isObject(dependencies)) return;
    for (const [name, value] of Object.entries(dependencies)) {
      const needed = Array.isArray(value)
        ? this.#requiring(value as string[], place.path)
        : typeof value === 'string'
          ? this.#requiring([value], place.path)
          : this.child(place, keyword, name);
      const without = this.nodes.not(this.#requiring([name], place.path));
      yield this.#union(keyword, [without, this.nodes.and([this.#requiring([name], place.path), needed])], place.path);
    }
  }

  /** Any value, but objects have these members. */
  #requiring(names: readonly string[], path: string): SchemaNode {
    return this.nodes.of(`(required ${JSON.stringify(names)})`, path, () =>
      this.nodes.anyForms().map(form => (form.type === 'object' ? { ...form, required: new Set(names) } : form)),
    );
  }
}

/** Stands for all keywords that speak of one type each. */
const typed = 'type';
/** Of these the first says where the members of `properties` stand among those of other keywords. */
const naming = new Set(['properties', 'additionalProperties']);

function inOrder(schema: Record<string, unknown>): readonly string[] {
  const keywords = Object.keys(schema).filter(keyword => keyword !== typed);
  const first = keywords.findIndex(keyword => naming.has(keyword));
  return keywords.toSpliced(Math.max(first, 0), 0, typed);
}

/** Whether a schema says anything of what is valid. */
export function constrains(schema: Record<string, unknown>): boolean {
  return Object.keys(schema).some(hasEffect);
}
