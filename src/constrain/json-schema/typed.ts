/** The keywords that speak of one type each. */

import { asRealmError, RealmError } from '../../errors.ts';
import { compileSearch } from '../regex-compile.ts';
import { unsupported } from './budget.ts';
import { type Decimal, decimal } from './decimal.ts';
import { annotations, formatPattern } from './formats.ts';
import type { Bound, Form, Layer, NumberForm, SchemaAlgebra, SchemaNode } from './forms.ts';
import { checkedNumber } from './intersect.ts';
import { isObject, type Place } from './references.ts';
import { checkedText } from './values.ts';

type Schema = Readonly<Record<string, unknown>>;

/** Makes the nodes of the parts of a schema. */
export interface Readers {
  readonly nodes: SchemaAlgebra;
  child(place: Place, ...keys: readonly (string | number)[]): SchemaNode;
}

const types = new Set(['null', 'boolean', 'integer', 'number', 'string', 'array', 'object']);

export function typedForms(schema: Schema, place: Place, readers: Readers): readonly Form[] {
  const { nodes } = readers;
  const wanted = typesOf(schema, place);
  const forms: Form[] = [];
  for (const form of nodes.anyForms()) {
    const integer = form.type === 'number' && !wanted.has('number');
    if (!wanted.has(integer ? 'integer' : form.type)) continue;
    const typed = typedForm(integer ? { ...form, integer: true } : form, schema, place, readers);
    if (typed) forms.push(typed);
  }
  return forms;
}

function typesOf(schema: Schema, { path }: Place): ReadonlySet<unknown> {
  if (!Object.hasOwn(schema, 'type')) return types;
  const list: unknown[] = Array.isArray(schema.type) ? schema.type : [schema.type];
  if (!list.every(type => types.has(type as string))) {
    throw unsupported('type', path, `${JSON.stringify(schema.type)} is no type of JSON Schema`);
  }
  return new Set(list);
}

function typedForm(form: Form, schema: Schema, place: Place, readers: Readers): Form | undefined {
  switch (form.type) {
    case 'number':
      return numberForm(form, schema, place);
    case 'string':
      return stringForm(form, schema, place, readers);
    case 'array':
      return arrayForm(form, schema, place, readers);
    case 'object':
      return objectForm(form, schema, place, readers);
    default:
      return form;
  }
}

function numeric(schema: Schema, keyword: string, { path }: Place): number | undefined {
  if (!Object.hasOwn(schema, keyword)) return undefined;
  const value = schema[keyword];
  if (typeof value !== 'number' || !Number.isFinite(value)) throw unsupported(keyword, path, 'it is a number');
  return value;
}

/** A number of characters, items or members. */
function count(schema: Schema, keyword: string, place: Place): number | undefined {
  const value = numeric(schema, keyword, place);
  if (value === undefined || (Number.isInteger(value) && value >= 0)) return value;
  throw unsupported(keyword, place.path, 'it is an integer and not negative');
}

function numberForm(form: NumberForm, schema: Schema, place: Place): Form | undefined {
  const step = numeric(schema, 'multipleOf', place);
  if (step !== undefined && step <= 0) throw unsupported('multipleOf', place.path, 'it is above zero');
  const multipleOf: Decimal | undefined = step === undefined ? undefined : decimal(step);
  const min = bound(schema, place, 'minimum', 'exclusiveMinimum', 1);
  const max = bound(schema, place, 'maximum', 'exclusiveMaximum', -1);
  return checkedNumber({ ...form, min, max, multipleOf });
}

/** Draft 4 has `exclusiveMinimum: true` beside `minimum`. */
function bound(schema: Schema, place: Place, inclusive: string, exclusive: string, side: 1 | -1): Bound | undefined {
  const limit = numeric(schema, inclusive, place);
  const flag = schema[exclusive];
  if (typeof flag === 'boolean') return limit === undefined ? undefined : { value: decimal(limit), exclusive: flag };
  const open = numeric(schema, exclusive, place);
  if (open !== undefined && (limit === undefined || (open - limit) * side >= 0))
    return { value: decimal(open), exclusive: true };
  return limit === undefined ? undefined : { value: decimal(limit), exclusive: false };
}

function stringForm(
  form: Extract<Form, { type: 'string' }>,
  schema: Schema,
  place: Place,
  { nodes }: Readers,
): Form | undefined {
  const { text, tests } = nodes;
  const min = count(schema, 'minLength', place) ?? 0;
  const max = count(schema, 'maxLength', place);
  const parts = [form.content];
  if (min > 0 || max !== undefined) parts.push(text.regexes.repeat(text.anyChar, min, max));
  if (Object.hasOwn(schema, 'pattern')) parts.push(patternRegex(schema.pattern, 'pattern', place, nodes));
  if (Object.hasOwn(schema, 'format')) {
    const { format } = schema;
    const pattern = typeof format === 'string' ? formatPattern(format) : undefined;
    if (pattern !== undefined) parts.push(compileSearch(pattern, text));
    else if (!annotations.has(format as string))
      throw unsupported('format', place.path, `${JSON.stringify(format)} is not known`);
  }
  const content = text.intersection(parts);
  return tests.isNothing(content) ? undefined : { ...form, content };
}

function patternRegex(pattern: unknown, keyword: string, { path }: Place, nodes: SchemaAlgebra) {
  if (typeof pattern !== 'string') throw unsupported(keyword, path, 'a pattern is a text');
  try {
    return compileSearch(pattern, nodes.text);
  } catch (error) {
    const { code, message } = asRealmError(error);
    if (code === 'grammar_invalid') throw unsupported(keyword, path, message);
    throw new RealmError(code, `${message}, at ${path}/${keyword}`);
  }
}

function arrayForm(
  form: Extract<Form, { type: 'array' }>,
  schema: Schema,
  place: Place,
  readers: Readers,
): Form | undefined {
  const { nodes } = readers;
  const has = (keyword: string) => Object.hasOwn(schema, keyword);
  const list = Array.isArray(schema.prefixItems) ? 'prefixItems' : Array.isArray(schema.items) ? 'items' : undefined;
  const prefix = list ? (schema[list] as unknown[]).map((_, at) => readers.child(place, list, at)) : [];
  const rest = list === 'items' ? 'additionalItems' : 'items';
  const items = has(rest) ? readers.child(place, rest) : nodes.any;
  const contained = has('contains') && schema.minContains !== 0 ? [readers.child(place, 'contains')] : [];
  const contains = contained.filter(node => node !== nodes.any);
  const min = Math.max(count(schema, 'minItems', place) ?? 0, contained.length);
  const max = Math.min(count(schema, 'maxItems', place) ?? form.max, items === nodes.never ? prefix.length : form.max);
  return min > max || contains.includes(nodes.never) ? undefined : { ...form, prefix, items, contains, min, max };
}

function objectForm(
  form: Extract<Form, { type: 'object' }>,
  schema: Schema,
  place: Place,
  readers: Readers,
): Form | undefined {
  const { nodes } = readers;
  const has = (keyword: string) => Object.hasOwn(schema, keyword);
  const { path } = place;
  const layers: Layer[] = [];
  if (has('properties') || has('patternProperties') || has('additionalProperties'))
    layers.push(layerOf(schema, place, readers));
  if (has('propertyNames')) layers.push(namesLayer(place, readers));
  const required = schema.required ?? [];
  // Draft 3 wrote `required: true` in the member itself; later drafts give that no meaning.
  const names = Array.isArray(required) ? required.map(name => checkedText(String(name), path, 'required')) : [];
  if (!Array.isArray(required) && typeof required !== 'boolean')
    throw unsupported('required', path, 'it is a list of names');
  const min = count(schema, 'minProperties', place) ?? 0;
  const max = count(schema, 'maxProperties', place) ?? form.max;
  if (min > max || new Set(names).size > max) return undefined;
  nodes.budget.spend(names.length);
  return { ...form, layers, required: new Set(names), min, max };
}

function layerOf(schema: Schema, place: Place, readers: Readers): Layer {
  const { nodes } = readers;
  const { path } = place;
  const named = (keyword: string) => {
    const value = schema[keyword] ?? {};
    if (!isObject(value)) throw unsupported(keyword, path, 'it is an object');
    return Object.keys(value);
  };
  const properties = new Map(
    named('properties').map(name => [checkedText(name, path, 'properties'), readers.child(place, 'properties', name)]),
  );
  nodes.budget.spend(properties.size);
  // Each is read, compiled and put in its place.
  nodes.budget.need(3 * properties.size);
  const patterns = named('patternProperties').map(pattern => ({
    name: patternRegex(pattern, 'patternProperties', place, nodes),
    node: readers.child(place, 'patternProperties', pattern),
  }));
  const additional = Object.hasOwn(schema, 'additionalProperties')
    ? readers.child(place, 'additionalProperties')
    : nodes.any;
  return { properties, patterns, additional };
}

/** `propertyNames`: members of other names match nothing. */
function namesLayer(place: Place, readers: Readers): Layer {
  const { nodes } = readers;
  const { text } = nodes;
  const names = readers
    .child(place, 'propertyNames')
    .forms()
    .flatMap(form => (form.type === 'string' ? [form] : []))
    .map(form =>
      text.regexes.and([
        form.content,
        ...(form.values ? [text.regexes.or([...form.values].map(value => text.spellings(value)))] : []),
      ]),
    );
  const others = text.complement(text.regexes.or(names));
  return { properties: new Map(), patterns: [{ name: others, node: nodes.never }], additional: nodes.any };
}
