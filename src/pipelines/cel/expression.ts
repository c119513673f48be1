import { Environment, type ParseResult } from '@marcbachmann/cel-js';
import { RealmError } from '../../errors.ts';
import type { Mistakes } from '../document/mistakes.ts';
import { suggestion } from '../document/near.ts';
import type { Text } from '../document/text.ts';
import { expressionLimits } from '../limits.ts';
import { BYTES_A_STEP, matcher } from '../matcher.ts';
import { propertiesOf, propertyOf } from '../schema/parts.ts';
import type { JsonSchema } from '../schema/types.ts';
import { functions, macros } from './functions.ts';
import { ExpressionMeter } from './meter.ts';
import { type CelNode, callOf, childrenOf, comprehensionOf, type Evaluate, fieldOf, pathOf, rootOf } from './tree.ts';
import type { CelTypes } from './types.ts';
import { fromCel } from './values.ts';

/** What the library's errors have. */
interface CelError extends Error {
  readonly code: string;
  readonly summary?: string;
  readonly range?: { readonly start: number };
  readonly node?: CelNode & { readonly left?: { readonly checkedType?: { readonly name: string } } };
}

/** Values have no types here: those were checked before. */
const dynamic = new Environment({
  homogeneousAggregateLiterals: false,
  unlistedVariablesAreDyn: true,
  limits: {
    maxAstNodes: expressionLimits.nodes,
    maxDepth: expressionLimits.depth,
    maxListElements: expressionLimits.items,
    maxMapEntries: expressionLimits.items,
    maxCallArguments: 8,
  },
});

export type Names = ReadonlyMap<string, JsonSchema>;

/** An expression of CEL that stands in a document. Its mistakes are named at the places where they are. */
export class Expression {
  readonly text: Text;
  /** The names of values that it uses, with where they first stand. */
  readonly references = new Map<string, number>();
  readonly #mistakes: Mistakes;
  readonly #parsed: ParseResult | undefined;
  readonly #meter = new ExpressionMeter();
  readonly #matchers = new Map<CelNode, (text: string) => boolean>();
  #isWatched = false;
  #isWrong = false;

  constructor(text: Text, mistakes: Mistakes) {
    this.text = text;
    this.#mistakes = mistakes;
    this.#parsed = this.#parse();
    if (this.#parsed) this.#look(rootOf(this.#parsed), new Set(), 0);
    // Names in what is wrong may be no names of values.
    if (this.#isWrong) this.references.clear();
  }

  /** What it makes, as far as that is known. `wanted`: the type of CEL that it must be, in CEL's words. */
  check(names: Names, types: CelTypes, wanted?: 'bool' | 'list'): JsonSchema {
    if (!this.#parsed || this.#isWrong || !this.#checkPaths(rootOf(this.#parsed), names, new Set())) return true;
    const known = [...names].filter(([name]) => this.references.has(name));
    const found = types.environment(known).check(this.text.value);
    if (!found.valid) {
      this.#explain(found.error as unknown as CelError, types);
      return true;
    }
    const type = found.type ?? 'dyn';
    const fits = wanted === undefined || type === 'dyn' || type.startsWith('dyn<') || type.startsWith(wanted);
    if (!fits) this.#wrong(0, `the expression must be a ${wanted}, and is ${withArticle(type)}`);
    const schema = types.schemaOf(type);
    if (schema === undefined) this.#wrong(0, `${type} is no value of JSON; use string(…)`);
    return schema ?? true;
  }

  /** The value, as JSON has it. Throws `pipeline_failed`. */
  evaluate(value: (name: string) => unknown): unknown {
    const parsed = this.#parsed as ParseResult;
    if (!this.#isWatched) {
      parsed.check();
      this.#meter.watch(rootOf(parsed), node => this.#replacement(node));
      this.#isWatched = true;
    }
    const context = Object.fromEntries([...this.references.keys()].map(name => [name, value(name)]));
    try {
      return fromCel(this.#meter.run(() => parsed(context)));
    } catch (error) {
      if (error instanceof RealmError) throw error;
      const { summary, message } = error as CelError;
      const why = summary ?? message;
      throw new RealmError('pipeline_failed', `the expression '${short(this.text.value)}' fails: ${why}`, {
        cause: error,
      });
    }
  }

  /** Whether it is true. Throws `pipeline_failed` where it is neither true nor false. */
  test(value: (name: string) => unknown): boolean {
    const made = this.evaluate(value);
    if (typeof made === 'boolean') return made;
    throw new RealmError('pipeline_failed', `'${short(this.text.value)}' must be true or false, and is ${typeof made}`);
  }

  #parse(): ParseResult | undefined {
    const { value } = this.text;
    if (value.length > expressionLimits.characters) {
      this.#wrong(0, `the expression has more than ${expressionLimits.characters} characters`);
      return undefined;
    }
    try {
      return dynamic.parse(value);
    } catch (error) {
      const { summary, message, range } = error as CelError;
      this.#wrong(range?.start ?? 0, `the expression is no CEL: ${summary ?? message}`);
      return undefined;
    }
  }

  /** Finds the names that it uses, and what the library lets through and may not be. */
  #look(node: CelNode, bound: ReadonlySet<string>, depth: number): void {
    const loop = comprehensionOf(node);
    if (loop) {
      if (depth === expressionLimits.macros) {
        this.#wrong(node.start, `no more than ${expressionLimits.macros} macros may stand inside each other`);
      }
      this.#look(loop.iterable, bound, depth);
      this.#look(loop.step, new Set([...bound, loop.iterVarName]), depth + 1);
      return;
    }
    if (node.op === 'id') this.#refer(node, bound);
    const call = callOf(node);
    if (call && !node.meta.alternate) this.#lookAtCall(node, call.name, call.args);
    for (const child of childrenOf(node)) this.#look(child, bound, depth);
  }

  #refer(node: CelNode, bound: ReadonlySet<string>): void {
    const name = node.args as string;
    // The names of types are CEL's own.
    if (!bound.has(name) && !this.references.has(name) && !dynamic.hasVariable(name))
      this.references.set(name, this.text.at(node.start));
  }

  #lookAtCall(node: CelNode, name: string, args: readonly CelNode[]): void {
    if (!functions.has(name)) {
      this.#wrong(node.start, `there is no function '${name}'${suggestion(name, [...functions, ...macros])}`);
    } else if (name === 'matches') {
      const [pattern] = args;
      if (args.length !== 1 || pattern?.op !== 'value') {
        return this.#wrong(node.start, "'matches' takes one pattern, written out as a text");
      }
      try {
        this.#matchers.set(node, matcher(String(pattern.args)));
      } catch (error) {
        this.#wrong(pattern.start, `the pattern cannot be used: ${(error as Error).message}`);
      }
    }
  }

  /** The library knows no field that is not there; this finds them behind `has` too, and names what is near. */
  #checkPaths(node: CelNode, names: Names, bound: ReadonlySet<string>): boolean {
    const loop = comprehensionOf(node);
    if (loop) {
      const inner = new Set([...bound, loop.iterVarName]);
      return this.#checkPaths(loop.iterable, names, bound) && this.#checkPaths(loop.step, names, inner);
    }
    const path = pathOf(node);
    if (!path) return childrenOf(node).every(child => this.#checkPaths(child, names, bound));
    const name = path.root.args as string;
    let schema = bound.has(name) ? true : (names.get(name) ?? true);
    for (const field of path.fields) {
      const key = fieldOf(field);
      const properties = propertiesOf(schema);
      if (properties && !Object.hasOwn(properties, key)) {
        this.#wrong(field.end - key.length, `there is no '${key}' here${suggestion(key, Object.keys(properties))}`);
        return false;
      }
      schema = propertyOf(schema, key);
    }
    return true;
  }

  #explain({ code, summary, message, range, node }: CelError, types: CelTypes): void {
    const start = range?.start ?? 0;
    if (code === 'unknown_variable') return; // Whoever knows the names has said it.
    if (code === 'no_such_key' && node) {
      const key = fieldOf(node);
      const fields = types.fieldsOf(node.left?.checkedType?.name ?? '');
      return this.#wrong(start, `there is no '${key}' here${suggestion(key, fields)}`);
    }
    const said = (summary ?? message).replace(/\bObject\d+\b/g, 'object');
    this.#wrong(start, `${said}${hints[code] ?? (/double.*\bint|\bint.*double/.test(said) ? hints.double : '')}`);
  }

  #replacement(node: CelNode): Evaluate | undefined {
    const matches = this.#matchers.get(node);
    const receiver = callOf(node)?.receiver;
    if (!matches || !receiver) return undefined;
    return (evaluator, _node, context) => {
      const text = receiver.evaluate(evaluator, receiver, context);
      if (typeof text !== 'string') throw new Error("'matches' is for texts");
      this.#meter.charge(text.length / BYTES_A_STEP);
      return matches(text);
    };
  }

  #wrong(index: number, what: string): void {
    this.#isWrong = true;
    this.#mistakes.add(this.text.at(index), what);
  }
}

const hints: Readonly<Record<string, string>> = {
  incompatible_ternary_branches: '; dyn(…) around one of them lets them differ',
  double: '; write 1.0 for 1, or double(…) around the int',
};

const withArticle = (type: string): string => `${/^[aeiou]/.test(type) ? 'an' : 'a'} ${type}`;

const short = (text: string): string => (text.length > 80 ? `${text.slice(0, 79)}…` : text);
