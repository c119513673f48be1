/** The syntax tree of a template, as Jinja2's grammar has it. */

export type Literal = null | boolean | bigint | number | string;

export interface Arguments {
  readonly positional: readonly Expression[];
  readonly named: readonly (readonly [string, Expression])[];
  /** What `*` and `**` take apart. */
  readonly spread?: Expression | undefined;
  readonly namedSpread?: Expression | undefined;
}

export interface Filter {
  readonly name: string;
  readonly args: Arguments;
}

export interface Slice {
  readonly kind: 'slice';
  readonly start?: Expression | undefined;
  readonly stop?: Expression | undefined;
  readonly step?: Expression | undefined;
}

export type Expression =
  | { readonly kind: 'literal'; readonly value: Literal }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'list' | 'tuple'; readonly items: readonly Expression[] }
  | { readonly kind: 'dict'; readonly pairs: readonly (readonly [Expression, Expression])[] }
  | { readonly kind: 'unary'; readonly operator: string; readonly operand: Expression }
  | { readonly kind: 'binary'; readonly operator: string; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'logic'; readonly operator: 'and' | 'or'; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'concat'; readonly parts: readonly Expression[] }
  | {
      readonly kind: 'compare';
      readonly left: Expression;
      readonly rest: readonly { readonly operator: string; readonly right: Expression }[];
    }
  | {
      readonly kind: 'condition';
      readonly test: Expression;
      readonly yes: Expression;
      readonly no?: Expression | undefined;
    }
  | { readonly kind: 'attribute'; readonly object: Expression; readonly name: string }
  | { readonly kind: 'item'; readonly object: Expression; readonly key: Expression | Slice }
  | { readonly kind: 'call'; readonly callee: Expression; readonly args: Arguments }
  | { readonly kind: 'filter'; readonly operand: Expression; readonly filter: Filter }
  | { readonly kind: 'test'; readonly operand: Expression; readonly name: string; readonly args: Arguments };

/** What a value is assigned to. */
export type Target =
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'tuple'; readonly items: readonly Target[] }
  | { readonly kind: 'attribute'; readonly object: Expression; readonly name: string };

export interface Signature {
  readonly name: string;
  readonly parameters: readonly { readonly name: string; readonly fallback?: Expression | undefined }[];
  readonly body: readonly Statement[];
  /** Which of `varargs`, `kwargs` and `caller` the body mentions, so takes. */
  readonly takes: ReadonlySet<string>;
}

export type Statement =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'print'; readonly value: Expression }
  | {
      readonly kind: 'if';
      readonly branches: readonly { readonly test: Expression; readonly body: readonly Statement[] }[];
      readonly otherwise: readonly Statement[];
    }
  | {
      readonly kind: 'for';
      readonly target: Target;
      readonly iterable: Expression;
      readonly test?: Expression | undefined;
      readonly recursive: boolean;
      readonly body: readonly Statement[];
      readonly otherwise: readonly Statement[];
    }
  | { readonly kind: 'set'; readonly target: Target; readonly value: Expression }
  | {
      readonly kind: 'capture';
      readonly target: Target;
      readonly filters: readonly Filter[];
      readonly body: readonly Statement[];
    }
  | {
      readonly kind: 'with';
      readonly sets: readonly (readonly [Target, Expression])[];
      readonly body: readonly Statement[];
    }
  | { readonly kind: 'filtered'; readonly filters: readonly Filter[]; readonly body: readonly Statement[] }
  | { readonly kind: 'macro'; readonly signature: Signature }
  | { readonly kind: 'callBlock'; readonly call: Expression & { kind: 'call' }; readonly caller: Signature }
  | { readonly kind: 'break' | 'continue' };
