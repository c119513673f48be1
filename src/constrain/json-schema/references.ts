import { escapePointer, unsupported } from './budget.ts';

/** A schema inside the document: where it stands, and the address that its references are relative to. */
export interface Place {
  readonly value: unknown;
  /** JSON pointer from the document's root. */
  readonly path: string;
  readonly base: string;
}

/** Where the document has no `$id`. */
const rootBase = 'schema:/';

/** Finds what `$ref` points to. Nothing outside the document is ever read. */
export class References {
  readonly root: Place;
  /** Whether `$ref` makes what stands beside it void, as before draft 2019-09. */
  readonly refAlone: boolean;
  /** By absolute address, with the fragment where it is a name. */
  readonly #named = new Map<string, Place>();
  readonly #bases = new Map<string, string>();

  constructor(schema: unknown) {
    const dialect = isObject(schema) && typeof schema.$schema === 'string' ? schema.$schema : '';
    this.refAlone = /draft-0?[3467]\b/.test(dialect);
    this.root = { value: schema, path: '', base: rootBase };
    this.#named.set(rootBase, this.root);
    this.#index(schema, '', rootBase);
  }

  /** Looks for `$id` and `$anchor` wherever a keyword holds schemas. */
  #index(value: unknown, path: string, base: string): void {
    if (Array.isArray(value)) this.#indexAll(value, path, base);
    if (!isObject(value)) return;
    let inner = base;
    const id = value.$id ?? value.id;
    if (typeof id === 'string' && !(this.refAlone && '$ref' in value)) inner = this.#identified(id, value, path, base);
    const anchor = value.$anchor ?? value.$dynamicAnchor;
    if (typeof anchor === 'string') this.#named.set(`${inner}#${anchor}`, { value, path, base: inner });
    if (inner !== base || path === '') this.#bases.set(path, inner);
    for (const key of Object.keys(value)) {
      if (holders.schema.has(key)) this.#index(value[key], `${path}/${key}`, inner);
      if (holders.map.has(key)) this.#indexAll(value[key], `${path}/${key}`, inner);
    }
  }

  #indexAll(parts: unknown, path: string, base: string): void {
    if (typeof parts !== 'object' || parts === null) return;
    for (const [key, part] of Object.entries(parts)) this.#index(part, `${path}/${escapePointer(key)}`, base);
  }

  #identified(id: string, value: unknown, path: string, base: string): string {
    const address = resolve(id, base);
    const [document, fragment] = address.split('#') as [string, string?];
    if (fragment) {
      this.#named.set(address, { value, path, base });
      return base;
    }
    if (path === '' || !this.#named.has(document)) this.#named.set(document, { value, path, base: document });
    return document;
  }

  /** The place of a part of a schema. */
  child(place: Place, ...keys: readonly (string | number)[]): Place {
    let { value, path } = place;
    let base = place.base;
    for (const key of keys) {
      value = (value as Record<string, unknown>)[key];
      path += `/${escapePointer(String(key))}`;
      base = this.#bases.get(path) ?? base;
    }
    return { value, path, base };
  }

  resolve(reference: string, from: Place): Place {
    const base = this.#bases.get(from.path) ?? from.base;
    const [document, fragment = ''] = resolve(reference, base).split('#') as [string, string?];
    const fail = (reason: string) => unsupported('$ref', from.path, `${JSON.stringify(reference)} ${reason}`);
    const named = this.#named.get(fragment && !fragment.startsWith('/') ? `${document}#${fragment}` : document);
    if (!named) throw fail(/^(?:#|\/)/.test(reference) ? 'points to nothing' : 'is not in the schema itself');
    if (!fragment.startsWith('/')) return named;
    let place: Place = named;
    for (const part of fragment.slice(1).split('/')) {
      const key = unescapePart(part);
      const { value } = place;
      if (typeof value !== 'object' || value === null || key === undefined || !Object.hasOwn(value, key)) {
        throw fail('points to nothing');
      }
      place = this.child(place, key);
    }
    return place;
  }
}

/** Keywords whose values are schemas or lists of them, and those whose values are objects of them. */
const holders = {
  schema: new Set([
    'additionalItems',
    'additionalProperties',
    'allOf',
    'anyOf',
    'contains',
    'contentSchema',
    'else',
    'if',
    'items',
    'not',
    'oneOf',
    'prefixItems',
    'propertyNames',
    'then',
    'unevaluatedItems',
    'unevaluatedProperties',
  ]),
  map: new Set(['$defs', 'definitions', 'dependencies', 'dependentSchemas', 'patternProperties', 'properties']),
};

function resolve(reference: string, base: string): string {
  if (reference.startsWith('#')) return base.split('#')[0] + reference;
  return URL.canParse(reference, base) ? new URL(reference, base).href : reference;
}

function unescapePart(part: string): string | undefined {
  try {
    return decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~');
  } catch {
    return undefined;
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
