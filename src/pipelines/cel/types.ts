import { Environment } from '@marcbachmann/cel-js';
import { propertiesOf, withoutNull } from '../schema/parts.ts';
import type { JsonSchema } from '../schema/types.ts';

const ofJson: Readonly<Record<string, string>> = {
  string: 'string',
  integer: 'int',
  number: 'double',
  boolean: 'bool',
  null: 'null',
};
const toJson: Readonly<Record<string, JsonSchema>> = {
  string: { type: 'string' },
  int: { type: 'integer' },
  uint: { type: 'integer' },
  double: { type: 'number' },
  bool: { type: 'boolean' },
  null: { type: 'null' },
  list: { type: 'array' },
  map: { type: 'object' },
  'google.protobuf.Timestamp': { type: 'string' },
};

interface ObjectType {
  readonly schema: JsonSchema;
  readonly fields: Readonly<Record<string, string>>;
}

/** The types of CEL that schemas are. An object whose properties are known is a type of its own. */
export class CelTypes {
  readonly #objects = new Map<string, ObjectType>();

  /** Checks expressions in which these names have values. */
  environment(names: Iterable<readonly [string, JsonSchema]>): Environment {
    const variables = [...names].map(([name, schema]) => [name, this.nameOf(schema)] as const);
    const environment = new Environment({ homogeneousAggregateLiterals: false });
    const compare = (a: string, b: string) => environment.registerOperator(`${a} == ${b}: bool`, () => false);
    for (const [name, { fields }] of this.#objects) {
      environment.registerType(name, { fields });
      compare(name, name);
    }
    // Whether something may be null is not followed through an expression; so anything can be compared with it.
    const comparable = ['string', 'int', 'uint', 'double', 'bool', 'list<dyn>', 'map', ...this.#objects.keys()];
    for (const type of comparable) compare(type, 'null');
    for (const [name, type] of variables) environment.registerVariable(name, type);
    return environment;
  }

  /** The type of what a schema lets through, but for null. */
  nameOf(schema: JsonSchema): string {
    const plain = withoutNull(schema);
    if (typeof plain === 'boolean') return 'dyn';
    const values = 'const' in plain ? [plain.const] : plain.enum;
    if (Array.isArray(values)) return same(values.map(valueType));
    const { anyOf, oneOf, type, items, prefixItems } = plain;
    const choices = anyOf ?? oneOf;
    if (Array.isArray(choices)) return same(choices.map(each => this.nameOf(each as JsonSchema)));
    if (type === 'array')
      return `list<${prefixItems ? 'dyn' : this.nameOf((items as JsonSchema | undefined) ?? true)}>`;
    if (type === 'object') return this.#object(plain);
    return (typeof type === 'string' && ofJson[type]) || 'dyn';
  }

  /** What values of a type are; undefined for those that are no values of JSON. */
  schemaOf(name: string): JsonSchema | undefined {
    const known = this.#objects.get(name)?.schema ?? toJson[name];
    if (known !== undefined) return known;
    if (['bytes', 'type', 'google.protobuf.Duration'].includes(name)) return undefined;
    const list = /^list<(.+)>$/.exec(name)?.[1];
    if (list) return { type: 'array', items: this.schemaOf(list) ?? true };
    const map = /^map<string, (.+)>$/.exec(name)?.[1];
    if (map) return { type: 'object', additionalProperties: this.schemaOf(map) ?? true };
    return /^map</.test(name) ? { type: 'object' } : true;
  }

  /** The fields of an object type. */
  fieldsOf(name: string): string[] {
    return Object.keys(this.#objects.get(name)?.fields ?? {});
  }

  #object(schema: { readonly [keyword: string]: unknown }): string {
    const properties = propertiesOf(schema);
    if (!properties) {
      const { additionalProperties, properties: some } = schema;
      const values = some === undefined && typeof additionalProperties === 'object' ? additionalProperties : true;
      return `map<string, ${this.nameOf((values ?? true) as JsonSchema)}>`;
    }
    const fields = Object.fromEntries(Object.entries(properties).map(([key, each]) => [key, this.nameOf(each)]));
    const text = JSON.stringify(schema);
    const known = [...this.#objects].find(([, each]) => JSON.stringify(each.schema) === text);
    if (known) return known[0];
    const name = `Object${this.#objects.size + 1}`;
    this.#objects.set(name, { schema, fields });
    return name;
  }
}

const same = (names: readonly string[]): string => (new Set(names).size === 1 ? names[0]! : 'dyn');

function valueType(value: unknown): string {
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'double';
  return typeof value === 'string' ? 'string' : typeof value === 'boolean' ? 'bool' : 'dyn';
}
