/** What a schema comes down to: a list of forms, of which a value must have one. No form means: nothing matches. */

import type { JsonText } from '../json-text.ts';
import type { RegexId } from '../regex.ts';
import type { RegexTests } from '../regex-tests.ts';
import type { Budget } from './budget.ts';
import type { Decimal } from './decimal.ts';

export type Form =
  | { readonly type: 'null' }
  | { readonly type: 'boolean'; readonly value: boolean }
  | NumberForm
  | StringForm
  | ArrayForm
  | ObjectForm;

export interface Bound {
  readonly value: Decimal;
  readonly exclusive: boolean;
}

export interface NumberForm {
  readonly type: 'number';
  /** True: integers; false: all but integers; undefined: both. */
  readonly integer: boolean | undefined;
  readonly min?: Bound | undefined;
  readonly max?: Bound | undefined;
  readonly multipleOf?: Decimal | undefined;
}

export interface StringForm {
  readonly type: 'string';
  /** The only texts, of which those count that `content` matches; undefined: any. */
  readonly values: ReadonlySet<string> | undefined;
  /** What stands between the quotes. */
  readonly content: RegexId;
}

export interface ArrayForm {
  readonly type: 'array';
  readonly prefix: readonly SchemaNode[];
  /** Items behind the prefix. */
  readonly items: SchemaNode;
  /** For each there is an item that matches it. */
  readonly contains: readonly SchemaNode[];
  readonly min: number;
  readonly max: number;
}

export interface ObjectForm {
  readonly type: 'object';
  /** Each member must be as every layer has it. */
  readonly layers: readonly Layer[];
  readonly required: ReadonlySet<string>;
  readonly min: number;
  readonly max: number;
}

/** One schema's words on the members of an object. */
export interface Layer {
  readonly properties: ReadonlyMap<string, SchemaNode>;
  readonly patterns: readonly { readonly name: RegexId; readonly node: SchemaNode }[];
  /** Members that neither `properties` nor `patterns` name. */
  readonly additional: SchemaNode;
}

/**
 * A schema, read when it is first needed. Equal keys are equal schemas, and all keys are made of the schema's own paths,
 * so a recursive schema has finitely many nodes.
 */
export interface SchemaNode {
  readonly key: string;
  /** Where errors point. */
  readonly path: string;
  readonly forms: () => readonly Form[];
}

/** What can be done with schemas. */
export interface SchemaAlgebra {
  readonly text: JsonText;
  readonly tests: RegexTests;
  readonly budget: Budget;
  readonly any: SchemaNode;
  readonly never: SchemaNode;
  /** The node of this key, which `read` reads if it is new. */
  of(key: string, path: string, read: () => readonly Form[]): SchemaNode;
  /** What matches all of them. */
  and(nodes: readonly SchemaNode[]): SchemaNode;
  not(node: SchemaNode): SchemaNode;
  intersect(a: readonly Form[], b: readonly Form[]): readonly Form[];
  /** The forms of any JSON. */
  anyForms(): readonly Form[];
  /** What a member of this name must be. */
  member(layers: readonly Layer[], name: string): SchemaNode;
}
